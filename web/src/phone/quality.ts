// How good the talk sounds: an estimate from round trip, jitter and loss (a simplified E-model), and a level that
// does not flicker.

export interface Sample {
  /** Milliseconds. */
  rtt: number;
  /** Milliseconds. */
  jitter: number;
  /** Percent of packets lost, 0..100. */
  loss: number;
}

export type Level = 'good' | 'fair' | 'poor';

/** mos gives the estimated mean opinion score, 1 (unusable) to about 4.4 (clean G.711). */
export function mos({ rtt, jitter, loss }: Sample): number {
  const latency = rtt + 2 * jitter + 10;
  let r = latency < 160 ? 94.768 - latency / 40 : 94.768 - (latency - 120) / 10;
  const penalty = 2.5 * loss;
  // Beyond this loss nothing is left of the quality; below it never falls under 6.52, or the curve would turn up.
  r = loss > r / 2.5 ? 0 : Math.max(6.52, r - penalty);
  return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r);
}

/** levelOf names a score: good from 4.0, fair from 3.5, poor below. */
export function levelOf(score: number): Level {
  if (score >= 4) return 'good';
  return score >= 3.5 ? 'fair' : 'poor';
}

const WINDOW = 5;
const NEEDED = 3;

/** Steady changes its level only when 3 of the last 5 samples agree, so that an icon can be trusted. */
export class Steady {
  private window: Level[] = [];
  private shown: Level | undefined;

  add(score: number): Level {
    const level = levelOf(score);
    this.window.push(level);
    if (this.window.length > WINDOW) this.window.shift();
    if (this.shown === undefined) this.shown = level;
    for (const candidate of ['good', 'fair', 'poor'] as const) {
      if (candidate !== this.shown && this.window.filter((l) => l === candidate).length >= NEEDED) {
        this.shown = candidate;
        break;
      }
    }
    return this.shown;
  }

  reset(): void {
    this.window = [];
    this.shown = undefined;
  }
}

/** What one look at RTCPeerConnection.getStats tells us. Counters are totals since the connection began. */
export interface RawStats {
  received: number;
  lost: number;
  jitterMs: number;
  rttMs: number | undefined;
  levelIn: number;
  levelOut: number;
  path: 'udp' | 'tcp' | 'relay' | undefined;
}

type Report = Record<string, unknown> & { type: string; kind?: string };

/** readStats picks our figures out of the report. The round trip of the far side may be missing: then the pair's. */
export function readStats(report: Iterable<Report>): RawStats {
  const all = [...report];
  const inbound = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
  const source = all.find((s) => s.type === 'media-source' && s.kind === 'audio');
  const remote = all.find((s) => s.type === 'remote-inbound-rtp' && s.kind === 'audio');
  const transport = all.find((s) => s.type === 'transport');
  const pair =
    all.find((s) => s.type === 'candidate-pair' && s.id === transport?.selectedCandidatePairId) ??
    all.find((s) => s.type === 'candidate-pair' && s.nominated === true && s.state === 'succeeded');
  const local = all.find((s) => s.type === 'local-candidate' && s.id === pair?.localCandidateId);
  const rtt = num(remote?.roundTripTime) ?? num(pair?.currentRoundTripTime);
  return {
    received: num(inbound?.packetsReceived) ?? 0,
    lost: num(inbound?.packetsLost) ?? 0,
    jitterMs: (num(inbound?.jitter) ?? 0) * 1000,
    rttMs: rtt === undefined ? undefined : rtt * 1000,
    levelIn: num(inbound?.audioLevel) ?? 0,
    levelOut: num(source?.audioLevel) ?? 0,
    path: pathOf(local),
  };
}

function pathOf(local: Report | undefined): RawStats['path'] {
  if (!local) return undefined;
  if (local.candidateType === 'relay') return 'relay';
  return local.protocol === 'tcp' ? 'tcp' : 'udp';
}

function num(v: unknown): number | undefined {
  return typeof v === 'number' && Number.isFinite(v) ? v : undefined;
}

/** lossBetween gives the percentage lost between two looks; 0 when nothing was expected. */
export function lossBetween(before: RawStats, after: RawStats): number {
  const lost = Math.max(0, after.lost - before.lost);
  const expected = after.received - before.received + lost;
  return expected > 0 ? (100 * lost) / expected : 0;
}
