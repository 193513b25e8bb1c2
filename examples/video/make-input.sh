#!/bin/bash
# Makes input.mp4: 12 seconds of moving picture and sound, in an old format, out of nothing but ffmpeg.
ffmpeg -v error -y -f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=beep_factor=2 -t 12 \
  -c:v mpeg4 -q:v 3 -c:a aac input.mp4
