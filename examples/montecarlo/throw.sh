#!/bin/bash
# One piece: throws 200 000 random points into a square, and counts those inside its circle. Prints "INSIDE ALL".
seed=$(od -An -N4 -tu4 /dev/urandom)
awk -v seed="$seed" -v all=200000 'BEGIN {
  srand(seed)
  for (i = 0; i < all; i++) if (rand() ^ 2 + rand() ^ 2 < 1) inside++
  print inside, all
}'
