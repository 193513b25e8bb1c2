// One part of the poster: a band of rows as raw RGB bytes on stdout.
const { PIECE_IDX, PIECE_COUNT, WIDTH, HEIGHT } = process.env
const width = Number(WIDTH)
const height = Number(HEIGHT)
const rows = height / Number(PIECE_COUNT)
const limit = 4000
// a small copy of the whole set, deep in Seahorse Valley
const centre = { re: -0.743643887037151, im: 0.13182590420533 }
const span = 0.000045
const gradient = [[6, 9, 40], [18, 66, 140], [90, 190, 214], [250, 243, 214], [242, 158, 50], [158, 42, 52],
  [46, 12, 56]]
const subpixels = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
const band = Buffer.alloc(rows * width * 3)
const sum = new Float64Array(3) // of a pixel's samples

/** Adds the colour of a point: the number of iterations picks it, the slope there lights it like a relief. */
function addSample (cr, ci) {
  let zr = 0
  let zi = 0
  let dr = 0 // the derivative of z
  let di = 0
  for (let n = 0; n < limit; n++) {
    const rr = zr * zr
    const ii = zi * zi
    if (rr + ii > 1e4) return shade(n + 1 - Math.log2(Math.log(rr + ii) / 2), slope(zr, zi, dr, di))
    const next = 2 * (zr * dr - zi * di) + 1
    di = 2 * (zr * di + zi * dr)
    dr = next
    zi = 2 * zr * zi + ci
    zr = rr - ii + cr
  }
}

/** How much light from the upper right falls on it, 0 to 1. */
function slope (zr, zi, dr, di) {
  const x = zr * dr + zi * di
  const y = zi * dr - zr * di
  return ((x + y) / Math.hypot(x, y) * Math.SQRT1_2 + 1.5) / 2.5
}

function shade (iterations, light) {
  const at = Math.log(1 + iterations) * 4.2
  const blend = (1 - Math.cos(at % 1 * Math.PI)) / 2
  const from = gradient[Math.floor(at) % gradient.length]
  const to = gradient[Math.ceil(at) % gradient.length]
  for (let i = 0; i < 3; i++) sum[i] += (from[i] + (to[i] - from[i]) * blend) * (0.3 + 0.9 * light)
}

for (let row = 0; row < rows; row++) {
  const y = Number(PIECE_IDX) * rows + row
  for (let x = 0; x < width; x++) {
    sum.fill(0)
    for (const [dx, dy] of subpixels) {
      addSample(centre.re + ((x + dx) / width - 0.5) * span, centre.im + (height / 2 - y - dy) / width * span)
    }
    for (let i = 0; i < 3; i++) band[(row * width + x) * 3 + i] = Math.min(255, sum[i] / subpixels.length)
  }
}
process.stdout.write(band)
