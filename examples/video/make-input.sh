#!/bin/bash
# Makes the folder scenes: 12 seconds of moving picture, cut into scenes of two seconds, and their sound, out of nothing
# but ffmpeg. The sound stays in one piece, since a cut in it clicks.
mkdir scenes
ffmpeg -v error -f lavfi -i testsrc2=size=320x180:rate=25 -t 12 -c:v mpeg4 -q:v 3 -g 50 input.mp4
ffmpeg -v error -i input.mp4 -c copy -f segment -segment_time 2 -reset_timestamps 1 scenes/%03d.mkv
ffmpeg -v error -f lavfi -i sine=beep_factor=2 -t 12 -c:a aac scenes/sound.mka
