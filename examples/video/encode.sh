#!/bin/bash
# One piece: a scene encoded as H.264, or the sound. INPUT is the file of this piece. Each run gives the same bytes, so
# that peers can check each other: one thread, and no random number in the container (bitexact).
case $INPUT in
  *.mka) ffmpeg -v error -i "$INPUT" -c copy -fflags +bitexact -f matroska pipe:1 ;;
  *) ffmpeg -v error -i "$INPUT" -c:v libx264 -threads 1 -fflags +bitexact -f matroska pipe:1 ;;
esac
