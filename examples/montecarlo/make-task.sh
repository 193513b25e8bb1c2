#!/bin/bash
# Makes pi.bitworker: 40 estimates of pi, by random numbers. No two runs give the same bytes.
here=$(dirname "$0")
bitworker create --name pi.txt --parts 40 --piece-length 64 --timeout 60 \
  --script "$here/throw.sh" --need awk \
  --input "$here/compare.sh" --compare-command compare.sh --not-deterministic \
  --output pi.bitworker \
  --comment 'Pi by eight million random points; results are compared by their distance'
