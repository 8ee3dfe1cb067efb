// Which tab of this browser carries the sound. A Web Lock decides: whoever holds it owns the microphone and rings;
// when its tab closes, the next one in the queue has it within milliseconds.

const LOCK = 'hotline-softphone';

export class Ownership {
  private release: (() => void) | undefined;
  private abort: AbortController | undefined;
  private stopped = false;
  held = false;

  /** onChange is told whenever we get or lose the lock. */
  constructor(
    private readonly onChange: (held: boolean) => void,
    private readonly locks: LockManager | undefined = globalThis.navigator?.locks,
  ) {}

  /** Stands in the queue for the lock. Where there are no locks (insecure page) this tab owns alone. */
  queue(): void {
    this.stopped = false;
    this.ask(false);
  }

  /** Takes the lock away from the tab that has it. */
  steal(): void {
    this.abort?.abort();
    this.ask(true);
  }

  stop(): void {
    this.stopped = true;
    this.abort?.abort();
    this.release?.();
    this.release = undefined;
    this.set(false);
  }

  private ask(steal: boolean): void {
    if (!this.locks) {
      this.set(true);
      return;
    }
    const abort = new AbortController();
    this.abort = abort;
    let granted = false;
    const options: LockOptions = steal ? { steal: true } : { signal: abort.signal };
    this.locks
      .request(LOCK, options, () => {
        granted = true;
        this.set(true);
        return new Promise<void>((resolve) => {
          this.release = resolve;
        });
      })
      .catch((err: unknown) => {
        // A place in the queue that we gave up is no loss; losing what was granted means that another tab took over.
        if (granted) this.lost(err);
      });
  }

  private lost(err: unknown): void {
    this.release = undefined;
    this.set(false);
    // Stand in the queue again: if the new owner closes, the sound comes back here.
    if (!this.stopped && err instanceof DOMException && err.name === 'AbortError') this.ask(false);
  }

  private set(held: boolean): void {
    if (this.held === held) return;
    this.held = held;
    this.onChange(held);
  }
}
