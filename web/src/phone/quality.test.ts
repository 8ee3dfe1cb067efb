import { describe, expect, it } from 'vitest';
import { levelOf, lossBetween, mos, readStats, Steady } from './quality';

describe('mos', () => {
  it.each([
    [20, 2, 0, 4.42],
    [100, 10, 0, 4.37],
    [200, 30, 2, 3.81],
    [300, 30, 3, 3.22],
    [300, 50, 5, 2.75],
  ])('rtt %d jitter %d loss %d is %d', (rtt, jitter, loss, want) => {
    expect(mos({ rtt, jitter, loss })).toBeCloseTo(want, 2);
  });

  it('never rises with loss', () => {
    let last = 5;
    for (let loss = 0; loss <= 100; loss += 0.5) {
      const now = mos({ rtt: 50, jitter: 5, loss });
      expect(now).toBeLessThanOrEqual(last + 1e-9);
      last = now;
    }
    expect(last).toBe(1);
  });
});

describe('level', () => {
  it('has its borders where the page says', () => {
    expect(levelOf(4)).toBe('good');
    expect(levelOf(3.99)).toBe('fair');
    expect(levelOf(3.5)).toBe('fair');
    expect(levelOf(3.49)).toBe('poor');
  });

  it('needs three of five to change', () => {
    const s = new Steady();
    expect(s.add(4.4)).toBe('good');
    expect(s.add(3)).toBe('good');
    expect(s.add(3)).toBe('good');
    expect(s.add(4.4)).toBe('good');
    expect(s.add(3)).toBe('poor');
    s.reset();
    expect(s.add(3.7)).toBe('fair');
  });
});

describe('readStats', () => {
  const pair = {
    type: 'candidate-pair',
    id: 'p',
    nominated: true,
    state: 'succeeded',
    currentRoundTripTime: 0.04,
    localCandidateId: 'l',
  };
  it('takes the round trip of the pair when the far side sent none', () => {
    const s = readStats([
      {
        type: 'inbound-rtp',
        kind: 'audio',
        packetsReceived: 100,
        packetsLost: 2,
        jitter: 0.003,
        audioLevel: 0.2,
      },
      pair,
      { type: 'local-candidate', id: 'l', protocol: 'tcp', candidateType: 'host' },
    ]);
    expect(s).toMatchObject({ received: 100, lost: 2, jitterMs: 3, rttMs: 40, path: 'tcp', levelIn: 0.2 });
  });
  it('prefers the far side', () => {
    const s = readStats([pair, { type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.1 }]);
    expect(s.rttMs).toBe(100);
  });
  it('counts loss between two looks', () => {
    const base = readStats([]);
    expect(lossBetween(base, base)).toBe(0);
    expect(lossBetween({ ...base, received: 100, lost: 0 }, { ...base, received: 149, lost: 1 })).toBe(2);
  });
});
