#!/bin/bash
# One piece: the SHA-256 of each PIN on standard input, sorted. sha256sum names the files that it hashes, so a file
# called 4711 with 4711 in it gives the line "hash  4711".
while read -r n; do
  printf -v pin %04d "$n"
  printf $pin > $pin
  pins+=($pin)
done
sha256sum "${pins[@]}" | LC_ALL=C sort
