// The complete command: puts the bands together and writes a PNG.
const { readFileSync, writeFileSync } = require('node:fs')
const { crc32, deflateSync } = require('node:zlib')
const { PART_LIST_FILE, FILE, WIDTH, HEIGHT } = process.env
const stride = Number(WIDTH) * 3
const bands = readFileSync(PART_LIST_FILE, 'utf8').trim().split('\n').map(part => readFileSync(part))
const raw = Buffer.concat(bands)
const filtered = Buffer.alloc(Number(HEIGHT) * (stride + 1))
for (let y = 0; y < Number(HEIGHT); y++) raw.copy(filtered, y * (stride + 1) + 1, y * stride, (y + 1) * stride)

function chunk (type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

const header = Buffer.alloc(13)
header.writeUInt32BE(Number(WIDTH), 0)
header.writeUInt32BE(Number(HEIGHT), 4)
header.set([8, 2, 0, 0, 0], 8) // 8 bits a channel, RGB
writeFileSync(FILE, Buffer.concat([
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  chunk('IHDR', header), chunk('IDAT', deflateSync(filtered, { level: 4 })), chunk('IEND', Buffer.alloc(0))
]))
