'use strict';
// Shares of answers, for the scripts that are included after this one.
globalThis.percent = x => `${(100 * x).toFixed(1)} %`;

globalThis.wilson = (hits, n) => {
  const z = 1.959964;
  const p = hits / n;
  const middle = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const whole = 1 + (z * z) / n;
  return [Math.max(0, (middle - half) / whole), Math.min(1, (middle + half) / whole)];
};
