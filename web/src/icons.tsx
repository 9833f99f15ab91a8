const paths = {
  play: "M6 4l9 6-9 6z",
  stop: "M5 5h10v10H5z",
  plus: "M10 4v12M4 10h12",
  close: "M5 5l10 10M15 5L5 15",
  share: "M7 11l6 3M13 6l-6 3M5 12.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM15 7.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM15 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.500 4a6.500 6.500 0 1 0 7.500 7.500z",
  sun: "M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M4.300 15.700l1.100-1.100M14.600 5.400l1.100-1.100",
  leave: "M8 4H4v12h4M9 10h8M14 7l3 3-3 3",
  download: "M10 3v9M6 9l4 4 4-4M4 16h12",
  clock: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l3 2",
} as const;

const filled = new Set<string>(["play", "stop"]);

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" fill={filled.has(name) ? "currentColor" : "none"} stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">
      <path d={paths[name]} />
    </svg>
  );
}
