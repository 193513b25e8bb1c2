#!/bin/bash
# lookup.sh TABLE HASH: the PIN with that SHA-256
grep --max-count 1 "^$2 " "$1" | cut --delimiter ' ' --fields 3
