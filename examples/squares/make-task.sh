#!/bin/bash
# Makes squares.bitworker: the squares of the first 50 integers, a piece each. What the command prints is the piece.
bitworker create --name squares.txt --parts 50 --piece-length 64 \
  --command 'echo $((PIECE_IDX * PIECE_IDX))' \
  --output squares.bitworker \
  --comment 'The squares of the first 50 integers'
