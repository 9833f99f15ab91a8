export function Reference() {
  return <main class="wide"><h1>API</h1></main>;
}
