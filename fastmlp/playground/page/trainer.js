// Training: the seven steps on one batch after another, one step at a time or all at once.
"use strict";

const MOST_POINTS = 600; // of a curve; with more, every second point is dropped

// Return the network before training: W normal, with standard deviation √(2/n_in) for ReLU and
// LeakyReLU (He et al. 2015) and √(2/(n_in + n_out)) for others (Glorot and Bengio 2010), b = 0.
function initialNetwork(settings, set) {
  const { hidden, activation, loss, batchNorm, seed } = settings;
  const sizes = [set.X[0].length, ...hidden, set.nClasses];
  const random = generator(seed, 1);
  const weights = sizes.slice(1).map((nOut, l) => {
    const isRelu = activation.endsWith("relu") && l < hidden.length;
    const deviation = Math.sqrt(2 / (isRelu ? sizes[l] : sizes[l] + nOut));
    return Array.from({ length: nOut }, () =>
      new Float64Array(sizes[l]).map(() => random.normal(0, deviation)));
  });
  const biases = sizes.slice(1).map((nOut) => new Float64Array(nOut));
  const scales = (batchNorm ? hidden : []).map((n) => new Float64Array(n).fill(1));
  return { sizes, activation, loss, batchNorm, weights, biases, scales };
}

// settings: {hidden, activation, loss, learningRate, lambda, batchSize, batchNorm, seed}.
// record: what the steps of the current update have computed so far, {rows, Y, before, pass,
// deltaOut, back, gradients, after, cost}; `before` and `after` are the network before and after
// step 6, and `back` is what hiddenDeltas returns.
// done: the number of steps of the current update that are done, 0 to 7.
class Trainer {
  constructor(settings, set) {
    this.settings = settings;
    this.set = set;
    this.Y = oneHot(set.y, set.nClasses);
    this.testY = oneHot(set.test.y, set.nClasses);
    this.network = initialNetwork(settings, set);
    this.nBatches = Math.ceil(set.X.length / settings.batchSize);
    this.updates = 0;
    this.done = 0;
    this.record = null;
    this.every = 1; // epochs between two points of the curves
    this.curves = [];
    this.addToCurves();
  }

  get epoch() {
    return Math.floor(this.updates / this.nBatches);
  }

  // Return the numbers of the examples in the next batch; each epoch has a random order.
  nextRows() {
    const at = this.updates % this.nBatches;
    const { batchSize, seed } = this.settings;
    if (at === 0) this.order = shuffled(this.set.X.length, generator(seed, 2 + this.epoch));
    return this.order.slice(at * batchSize, (at + 1) * batchSize);
  }

  // Do the next of the seven steps.
  step() {
    if (this.done === 7) this.done = 0;
    const { record, network } = this;
    const { lambda, learningRate } = this.settings;
    switch (++this.done) {
      case 1: {
        const rows = this.nextRows();
        const pass = forward(network, rows.map((n) => this.set.X[n]));
        this.record = { rows, Y: rows.map((n) => this.Y[n]), before: network, pass };
        break;
      }
      case 2:
        record.deltaOut = outputDelta(network, record.Y, record.pass);
        break;
      case 3:
        record.back = hiddenDeltas(network, record.deltaOut, record.pass);
        break;
      case 4: // the gradients of one example are computed when they are shown: see numbers.js
        break;
      case 5:
        record.gradients = batchGradients(network, record.pass, record.back, lambda);
        break;
      case 6:
        record.after = this.network = update(network, record.gradients, learningRate);
        break;
      case 7:
        record.cost = cost(record.before, record.Y, record.pass, lambda);
        this.updates++;
        if (this.updates % (this.nBatches * this.every) === 0) this.addToCurves();
    }
  }

  // Do the steps that are left of this update, or all seven of the next.
  update() {
    do this.step();
    while (this.done < 7);
  }

  // Return J and the fraction of correct predictions on the training and the test set.  Batch norm
  // then takes the mean and variance of the whole training set.
  measure() {
    const { network, set } = this;
    const { lambda } = this.settings;
    const training = forward(network, set.X);
    const test = forward(network, set.test.X, training.norms);
    return {
      updates: this.updates,
      training: cost(network, this.Y, training, lambda).total,
      test: cost(network, this.testY, test, lambda).total,
      trainingAccuracy: accuracy(training.a.at(-1), set.y),
      testAccuracy: accuracy(test.a.at(-1), set.test.y),
    };
  }

  addToCurves() {
    this.curves.push(this.measure());
    if (this.curves.length <= MOST_POINTS) return;
    this.curves = this.curves.filter((_, k) => k % 2 === 0);
    this.every *= 2;
  }

  // Return all activations at other inputs, as in prediction.
  activationsAt(X) {
    const { network } = this;
    const statistics = network.batchNorm ? forward(network, this.set.X).norms : null;
    return forward(network, X, statistics).a;
  }

  isFinite() {
    return this.network.weights.every((W) => W.every((row) => row.every(Number.isFinite)));
  }
}

const indexOfLargest = (row) => row.indexOf(row.reduce((left, right) => Math.max(left, right)));

const accuracy = (a, y) => a.filter((row, n) => indexOfLargest(row) === y[n]).length / y.length;
