#!/bin/bash
# Do the files a and b count the points of the same circle? Exits with 0 if they do, with 1 if they do not. What comes
# from a stranger is looked at before it gets into an expression.
counts=()
for file in a b; do
  text=$(head -c 64 $file && echo .)
  [[ $text =~ ^([1-9][0-9]{0,5})" 200000"$'\n.'$ ]] || exit 1
  counts+=("${BASH_REMATCH[1]}")
done
# the standard deviation of the difference is 260; six of them are less than one chance in a hundred million
(( (counts[0] - counts[1]) ** 2 < (6 * 260) ** 2 ))
