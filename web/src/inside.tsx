export function InsideView() {
  return <p class="empty">…</p>;
}
