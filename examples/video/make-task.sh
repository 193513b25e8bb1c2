#!/bin/bash
# Makes video.bitworker: input.mp4 as H.264. Whoever takes part has the input: bitworker run ... --bind input.mp4

# Piece 0 is the sound, which cannot be cut without a click; the others are two seconds of picture each.
command='
if [ $PART_IDX = 0 ]; then
  ffmpeg -v error -i input.mp4 -vn -c:a aac -f mpegts pipe:1
else
  ffmpeg -v error -ss $((PART_IDX * 2 - 2)) -t 2 -i input.mp4 -an -c:v libx264 -threads 1 -f mpegts pipe:1
fi
'

# Copies what is encoded already: no work to speak of.
complete='
set -- $PART_LIST
sound=$1
shift
printf "file %s\nduration 2\n" "$@" > picture.txt
ffmpeg -v error -f concat -i picture.txt -i $sound -c copy "$FILE"
'

bitworker create --name video.mp4 --parts 7 --piece-length 4M \
  --command "$command" \
  --complete-command "$complete" \
  --output video.bitworker \
  --comment 'Needs ffmpeg, and the video: --bind input.mp4'
