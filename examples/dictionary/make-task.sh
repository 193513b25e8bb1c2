#!/bin/bash
# Makes pins.bitworker: the SHA-256 of every PIN of four digits, 500 to a piece, sorted by hash.

# sha256sum names the files that it hashed: a file called 4711 with 4711 in it gives the line "hash  4711".
command='
printf -v pins "%04d " $(seq $((PIECE_IDX * 500)) $((PIECE_IDX * 500 + 499)))
for pin in $pins; do printf $pin > $pin; done
sha256sum $pins | LC_ALL=C sort
'

bitworker create --name pins.txt --parts 20 --piece-length 64K \
  --command "$command" \
  --complete-command 'LC_ALL=C sort --merge $PART_LIST > "$FILE"' \
  --output pins.bitworker \
  --comment 'A table to look up a PIN of four digits by its SHA-256'
