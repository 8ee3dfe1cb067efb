// The heartbeat: one tick every few seconds from a dedicated worker. The server judges by it whether we are there.

export const HEARTBEAT_MS = 5000;

export class Heartbeat {
  private worker: Worker | undefined;

  constructor(private readonly onTick: () => void) {}

  start(every = HEARTBEAT_MS): void {
    this.stop();
    const worker = new Worker(new URL('./heartbeat.worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = () => this.onTick();
    worker.postMessage({ every });
    this.worker = worker;
  }

  stop(): void {
    this.worker?.terminate();
    this.worker = undefined;
  }
}
