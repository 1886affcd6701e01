// Values as people read them.

const DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const WHOLE = new Intl.NumberFormat("en");
const EXPONENT = new Intl.NumberFormat("en", {
  notation: "scientific",
  maximumSignificantDigits: 3,
});
const PERCENT = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const NOTHING = "–";

/** A number in four digits; whole ones in full. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return WHOLE.format(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? EXPONENT.format(value) : DIGITS.format(value);
}

/** A share of one; what is nearly all or nearly none does not look like it. */
export function percent(share) {
  if (!Number.isFinite(share)) return NOTHING;
  if (share > 0 && share < 0.0005) return "<0.1%";
  return share >= 0.9995 && share < 1 ? ">99.9%" : PERCENT.format(share);
}

/** A size in bytes. */
export function bytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (size >= 1000 && at < units.length - 1) [size, at] = [size / 1000, at + 1];
  return `${size < 10 && at ? size.toFixed(1) : Math.round(size)} ${units[at]}`;
}

/** So many seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** An RFC 3339 time in the reader's own zone. */
export const when = (time) => (time ? WHEN.format(new Date(time)) : NOTHING);

/** "1 point", "2 points". */
export const count = (n, what) => `${number(n)} ${what}${n === 1 ? "" : "s"}`;

/** A point's shape: "3 columns", "28 × 28 pixels". */
export function shape(sizes) {
  return sizes.length === 1 ? count(sizes[0], "column") : `${sizes.slice(-2).join(" × ")} pixels`;
}
