// The drawing area: strokes by mouse, pen, finger or arrow keys, undo and clear.  The ink is the
// canvas's alpha channel.  After each change the canvas receives an "input" event.
"use strict";

const KEY_STEP = 20; // canvas pixels by which an arrow key moves the pen
const UNDO_LIMIT = 50;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class Pen {
  // width: of the stroke; say: function that announces a text to screen readers.
  constructor(canvas, cursor, width, say) {
    this.canvas = canvas;
    this.cursor = cursor;
    this.width = width;
    this.say = say;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.earlier = []; // the ink before each change
    this.pointer = null; // the id of the pointer that draws
    this.at = [canvas.width / 2, canvas.height / 2]; // position of the pen of the arrow keys
    this.isDown = false; // whether that pen touches the paper
    const on = (name, handler) => canvas.addEventListener(name, handler.bind(this));
    on("pointerdown", this.pointerDown);
    on("pointermove", this.pointerMove);
    on("pointerup", this.pointerUp);
    on("pointercancel", this.pointerUp);
    on("keydown", this.keyDown);
    on("blur", () => this.lift());
    this.showCursor();
  }

  // Return the ink of each pixel, 0 to 255, row by row.
  ink() {
    const { width, height } = this.canvas;
    const colours = this.context.getImageData(0, 0, width, height).data;
    const alpha = new Uint8Array(width * height);
    for (let k = 0; k < alpha.length; k++) alpha[k] = colours[4 * k + 3];
    return alpha;
  }

  setInk(alpha) {
    const image = new ImageData(this.canvas.width, this.canvas.height);
    alpha.forEach((ink, k) => (image.data[4 * k + 3] = ink));
    this.context.putImageData(image, 0, 0);
    this.changed();
  }

  changed() {
    this.canvas.dispatchEvent(new Event("input"));
  }

  remember() {
    this.earlier.push(this.ink());
    if (this.earlier.length > UNDO_LIMIT) this.earlier.shift();
  }

  undo() {
    this.lift();
    if (this.earlier.length > 0) this.setInk(this.earlier.pop());
  }

  clear() {
    this.lift();
    const ink = this.ink();
    if (ink.every((one) => one === 0)) return;
    this.earlier.push(ink);
    this.setInk(new Uint8Array(ink.length));
  }

  line(from, to) {
    const pen = this.context;
    pen.lineWidth = this.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(to[0] + 0.1, to[1]); // a line without length would not be drawn
    pen.stroke();
    this.changed();
  }

  // ------------------------------------------------------------------ mouse, pen and finger

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    return [x, y];
  }

  pointerDown(event) {
    if (this.pointer !== null || event.button !== 0) return;
    this.lift();
    this.pointer = event.pointerId;
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is no longer there, or a script made the event: drawing works without capture.
    }
    this.remember();
    this.at = this.place(event);
    this.line(this.at, this.at);
    this.showCursor();
  }

  pointerMove(event) {
    if (event.pointerId !== this.pointer) return;
    const between = event.getCoalescedEvents?.() ?? []; // all positions since the last event
    for (const one of between.length > 0 ? between : [event]) {
      const to = this.place(one);
      this.line(this.at, to);
      this.at = to;
    }
    this.showCursor();
  }

  pointerUp(event) {
    if (event.pointerId === this.pointer) this.pointer = null;
  }

  // -------------------------------------------------------------------------------- the keyboard

  keyDown(event) {
    if (event.key in ARROWS && !event.altKey && !event.ctrlKey && !event.metaKey) {
      this.step(...ARROWS[event.key], event.shiftKey ? 3 * KEY_STEP : KEY_STEP);
    } else if (event.key === " " || event.key === "Enter") {
      if (this.isDown) this.lift();
      else this.lower();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
      this.say("Cleared.");
    } else {
      return;
    }
    event.preventDefault();
  }

  step(right, down, length) {
    const inside = (x, size) => Math.min(size, Math.max(0, x));
    const to = [
      inside(this.at[0] + right * length, this.canvas.width),
      inside(this.at[1] + down * length, this.canvas.height),
    ];
    if (this.isDown) this.line(this.at, to);
    this.at = to;
    this.showCursor();
  }

  lower() {
    this.remember();
    this.isDown = true;
    this.line(this.at, this.at);
    this.showCursor();
    this.say("Pen down.");
  }

  lift() {
    if (!this.isDown) return;
    this.isDown = false;
    this.showCursor();
    this.say("Pen up.");
  }

  showCursor() {
    const [x, y] = this.at;
    this.cursor.style.left = `${(100 * x) / this.canvas.width}%`;
    this.cursor.style.top = `${(100 * y) / this.canvas.height}%`;
    this.cursor.classList.toggle("down", this.isDown);
  }
}
