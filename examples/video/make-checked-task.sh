#!/bin/bash
# Makes checked.bitworker, the same video with a signature. Whoever has its key is believed about the results, too.
#   make-checked-task.sh KEY    (the secret key file of bitworker keygen; ./scenes has the input: make-input.sh)
here=$(dirname "$0")
bitworker create --name video.mp4 --script "$here/encode.sh" --need ffmpeg --timeout 600 \
  --input "$here/join.sh" --complete-command 'bash join.sh' --input-per-part scenes --piece-length 4M --deterministic \
  --sign --key "$1" --checker "${1%.key}.pub" \
  --output checked.bitworker \
  --comment 'A video; its author checks what others encode'
