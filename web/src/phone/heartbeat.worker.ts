// Ticks while the page's own timers sleep. Browsers slow a hidden page's timers to one a minute; a worker's not.

let timer: ReturnType<typeof setInterval> | undefined;

self.onmessage = (ev: MessageEvent<{ every: number }>) => {
  clearInterval(timer);
  if (ev.data.every > 0) timer = setInterval(() => self.postMessage('tick'), ev.data.every);
};
