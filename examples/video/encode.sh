#!/bin/bash
# One piece: a scene encoded as H.264, or the sound. INPUT is the file of this piece.
case $INPUT in
  *.mka) ffmpeg -v error -i "$INPUT" -c copy -f matroska pipe:1 ;;
  *) ffmpeg -v error -i "$INPUT" -c:v libx264 -threads 1 -f matroska pipe:1 ;;
esac
