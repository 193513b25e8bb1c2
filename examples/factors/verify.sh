#!/bin/bash
# Is standard input what the piece must be, "NUMBER: FACTOR FACTOR …"? Exits with 0 if it is, with 1 if it is not.
# It comes from a stranger: what is not expected is wrong, and nothing of it gets into an expression unchecked.
number=$((10**17 + PIECE_IDX))
text=$(head -c 256 && echo .)
[[ $text =~ ^"$number:"(( [1-9][0-9]{0,17})+)$'\n.'$ ]] || exit 1
factors=${BASH_REMATCH[1]}
rest=$number last=2
for factor in $factors; do
  (( factor >= last && rest % factor == 0 )) || exit 1
  last=$factor rest=$((rest / factor))
done
(( rest == 1 )) || exit 1
# a prime number has itself as its only factor
composite=$(factor $factors | grep -c ' .* ')
[ "$composite" = 0 ] || exit 1
