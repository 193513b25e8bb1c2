#!/bin/bash
# Makes factors.bitworker: the prime factors of 24 large numbers. Finding them takes long, checking them does not.
bitworker create --name factors.txt --parts 24 --piece-length 256 \
  --command 'factor $((10**17 + PIECE_IDX))' \
  --input "$(dirname "$0")/verify.sh" --verify-command verify.sh --verify-timeout 60 \
  --output factors.bitworker \
  --comment 'The prime factors of 24 numbers; every peer verifies what others found'
