"""Examples on their way to the engine: arrays, chunks, memory maps, batches, splits."""
