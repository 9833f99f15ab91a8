export function Status() {
  return <main class="wide"><h1>Status</h1></main>;
}
