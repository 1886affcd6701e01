// The components' colours, the same in every picture (service/pictures.py has them too). Each is
// legible on light and on dark; as they repeat, a component is always named by its number as well.

export const COLOURS = [
  "#3f7ccc",
  "#d9534f",
  "#2e8b45",
  "#b07d12",
  "#1595ad",
  "#a353c4",
  "#7d8c1f",
  "#c4508d",
  "#6b6fe0",
  "#a0693f",
  "#1f9a84",
  "#7b8494",
];

/** The colour of component j. */
export const colourOf = (j) => COLOURS[j % COLOURS.length];
