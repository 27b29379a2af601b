// Turn a drawing into the network's input in the way MNIST was made (LeCun et al. 1998,
// "Gradient-based learning applied to document recognition", III.A): the ink is scaled to fit a box
// of 20 × 20 pixels with its aspect ratio, which produces grey levels, and the box is placed so that
// the ink's centre of mass is at the centre of 28 × 28 pixels.  In MNIST's images that is the pixel
// (14, 14), counted from 0.
"use strict";

const SIDE = 28;
const BOX = 20;
const CENTRE = 14;
const ROW = BOX + 1; // with rounding the ink may cover one pixel more

// Return the ink's bounding box {left, top, width, height}, or null without ink.
function boundingBox(alpha, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (alpha[y * width + x] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

// Return for each source pixel the target pixels that it covers, and the covered part of each, as
// [target, part, …].  A target pixel is 1/scale source pixels wide; its parts sum to 1, except for
// the last one.
function coverage(length, scale) {
  return Array.from({ length }, (_, source) => {
    const [from, to] = [source * scale, (source + 1) * scale];
    const covered = [];
    for (let target = Math.floor(from); target < to; target++) {
      covered.push(target, Math.min(to, target + 1) - Math.max(from, target));
    }
    return covered;
  });
}

// Return the mean ink of ROW × ROW pixels; the upper left corner of the ink is at pixel (0, 0).
function scaledToBox(alpha, width, box, scale) {
  const [columns, rows] = [coverage(box.width, scale), coverage(box.height, scale)];
  const scaled = new Float32Array(ROW * ROW);
  const line = new Float32Array(ROW);
  for (let y = 0; y < box.height; y++) {
    line.fill(0);
    for (let x = 0; x < box.width; x++) {
      const ink = alpha[(box.top + y) * width + box.left + x] / 255;
      if (ink === 0) continue;
      for (let k = 0; k < columns[x].length; k += 2) line[columns[x][k]] += ink * columns[x][k + 1];
    }
    for (let k = 0; k < rows[y].length; k += 2) {
      const first = rows[y][k] * ROW;
      for (let x = 0; x < ROW; x++) scaled[first + x] += rows[y][k + 1] * line[x];
    }
  }
  return scaled;
}

// Return the position of ink with this mean and extent at which the mean is closest to CENTRE while
// all of the ink is inside the image.
function offset(mean, extent) {
  return Math.min(SIDE - extent, Math.max(0, Math.round(CENTRE - mean)));
}

// Return the image, (784,) from 0 to 1, and the length of the longer side of the drawing's ink; null
// without ink.  alpha has the drawing's ink, 0 to 255, row by row.
function centred(alpha, width, height) {
  const box = boundingBox(alpha, width, height);
  if (box === null) return null;
  const scale = BOX / Math.max(box.width, box.height);
  const scaled = scaledToBox(alpha, width, box, scale);
  let [mass, momentX, momentY] = [0, 0, 0];
  scaled.forEach((ink, k) => {
    mass += ink;
    momentX += ink * (k % ROW);
    momentY += ink * Math.floor(k / ROW);
  });
  const [columns, rows] = [Math.ceil(box.width * scale), Math.ceil(box.height * scale)];
  const [left, top] = [offset(momentX / mass, columns), offset(momentY / mass, rows)];
  const image = new Float32Array(SIDE * SIDE);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      image[(top + y) * SIDE + left + x] = Math.min(1, scaled[y * ROW + x]);
    }
  }
  return { image, length: Math.max(box.width, box.height) };
}
