// Tabs of one browser talk to each other: a tab without the sound passes commands to the one that has it, and asks
// for a ring when the owner may not make a noise yet.

const NAME = 'hotline-phone';
const ACK_MS = 600;

type Wire =
  | { k: 'cmd'; id: string; t: string; d: unknown }
  | { k: 'ack'; id: string }
  | { k: 'ring'; call: string }
  | { k: 'ringing'; call: string }
  | { k: 'media'; problem?: string };

export interface ChannelHandlers {
  /** True when this tab owns the sound: only then it takes commands. */
  owns: () => boolean;
  onCommand: (t: string, d: unknown) => void;
  /** The owner cannot ring; do it when the user has clicked here. Returns whether we do. */
  onRing: (call: string) => boolean;
}

export class TabChannel {
  private readonly bc: BroadcastChannel | undefined;
  private readonly waiting = new Map<string, (taken: boolean) => void>();
  private n = 0;

  constructor(
    private readonly tab: string,
    private readonly on: ChannelHandlers,
    make: (() => BroadcastChannel) | undefined = globalThis.BroadcastChannel
      ? () => new BroadcastChannel(NAME)
      : undefined,
  ) {
    this.bc = make?.();
    if (this.bc) this.bc.onmessage = (ev: MessageEvent<Wire>) => this.receive(ev.data);
  }

  /** Passes a command to the owner. False: nobody took it, send it yourself. */
  command(t: string, d: unknown): Promise<boolean> {
    return this.ask((id) => ({ k: 'cmd', id, t, d }));
  }

  /** Asks the others to ring for this call. */
  ring(call: string): Promise<boolean> {
    return this.ask(() => ({ k: 'ring', call }), `ring-${call}`);
  }

  close(): void {
    this.bc?.close();
    for (const done of this.waiting.values()) done(false);
    this.waiting.clear();
  }

  private ask(make: (id: string) => Wire, key?: string): Promise<boolean> {
    if (!this.bc) return Promise.resolve(false);
    this.n += 1;
    const id = key ?? `${this.tab}-${this.n}`;
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(false), ACK_MS);
      const finish = (taken: boolean) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        resolve(taken);
      };
      this.waiting.set(id, finish);
      this.bc?.postMessage(make(id));
    });
  }

  private receive(m: Wire): void {
    switch (m.k) {
      case 'cmd':
        if (!this.on.owns()) return;
        this.bc?.postMessage({ k: 'ack', id: m.id } satisfies Wire);
        this.on.onCommand(m.t, m.d);
        return;
      case 'ack':
        this.waiting.get(m.id)?.(true);
        return;
      case 'ring':
        if (this.on.onRing(m.call)) this.bc?.postMessage({ k: 'ringing', call: m.call } satisfies Wire);
        return;
      case 'ringing':
        this.waiting.get(`ring-${m.call}`)?.(true);
        return;
    }
  }
}
