#!/bin/bash
# The whole video: the scenes one after another, and the last part, which is the sound. Encodes nothing again.
set -- $PART_LIST
printf 'file %s\n' "${@:1:$#-1}" > scenes.txt
ffmpeg -v error -f concat -i scenes.txt -i "${@: -1}" -c copy "$FILE"
