import { describe, expect, it, vi } from 'vitest';
import { constraints, defaultAudio, find, loadAudio, problemOf, saveAudio } from './devices';
import { dropDraft, loadDraft, saveDraft, sweepDrafts } from './drafts';
import { Ownership } from './ownership';
import { goertzel } from './testhooks';

/** A Storage of one test. */
class Box implements Storage {
  private m = new Map<string, string>();
  get length() {
    return this.m.size;
  }
  clear() {
    this.m.clear();
  }
  getItem(k: string) {
    return this.m.get(k) ?? null;
  }
  key(i: number) {
    return [...this.m.keys()][i] ?? null;
  }
  removeItem(k: string) {
    this.m.delete(k);
  }
  setItem(k: string, v: string) {
    this.m.set(k, v);
  }
}

describe('drafts', () => {
  it('come back, go, and are swept when old', () => {
    const box = new Box();
    saveDraft('a', { note: 'x' }, 0, box);
    saveDraft('b', { note: 'y' }, 50_000_000, box);
    box.setItem('other', '1');
    expect(loadDraft('a', box)?.note).toBe('x');
    sweepDrafts(50_000_000, box);
    expect(loadDraft('a', box)).toBeNull();
    expect(loadDraft('b', box)?.note).toBe('y');
    dropDraft('b', box);
    expect(box.length).toBe(1);
    box.setItem('hotline.note.c', '{');
    expect(loadDraft('c', box)).toBeNull();
  });
});

describe('audio settings', () => {
  it('are kept, and switched off together for measurements', () => {
    const box = new Box();
    saveAudio({ ...defaultAudio, noiseSuppression: false, ringVolume: 0.2 }, box);
    expect(loadAudio(box)).toMatchObject({
      noiseSuppression: false,
      echoCancellation: true,
      ringVolume: 0.2,
    });
    box.setItem('hotline.rawAudio', '1');
    expect(constraints(loadAudio(box))).toEqual({
      channelCount: 1,
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false,
    });
    box.setItem('hotline.audio', 'rubbish');
    expect(loadAudio(new Box())).toEqual(defaultAudio);
  });

  it('find a device by id, else by its name', () => {
    const list = [
      { id: '1', label: 'Headset' },
      { id: '2', label: 'Speakers' },
    ];
    expect(find(list, { id: '2', label: 'x' })?.id).toBe('2');
    expect(find(list, { id: 'old', label: 'Headset' })?.id).toBe('1');
    expect(find(list, { id: 'old', label: '' })).toBeUndefined();
    expect(find(list, undefined)).toBeUndefined();
  });

  it('name the problem of a microphone', () => {
    const named = (name: string) => Object.assign(new Error(), { name });
    expect(problemOf(named('NotFoundError'))).toBe('no_device');
    expect(problemOf(named('NotReadableError'))).toBe('busy');
    expect(problemOf(named('Whatever'))).toBe('other');
  });
});

describe('ownership', () => {
  /** Web Locks of one browser, as far as we use them. */
  class Locks {
    private holder: { reject: (e: unknown) => void; end: () => void } | undefined;
    private queue: (() => void)[] = [];
    request(_: string, opt: LockOptions, fn: () => Promise<void>): Promise<void> {
      return new Promise((resolve, reject) => {
        const grant = () => {
          const mine = { reject, end: () => {} };
          this.holder = mine;
          void fn().then(() => {
            if (this.holder === mine) this.holder = undefined;
            resolve();
            this.queue.shift()?.();
          });
        };
        opt.signal?.addEventListener('abort', () => {
          this.queue = this.queue.filter((g) => g !== grant);
          reject(new DOMException('', 'AbortError'));
        });
        if (opt.steal) {
          const old = this.holder;
          grant();
          old?.reject(new DOMException('', 'AbortError'));
        } else if (this.holder) this.queue.push(grant);
        else grant();
      });
    }
  }

  const settle = () => vi.waitFor(() => Promise.resolve());

  it('is held by one, passes on at its end, and can be stolen', async () => {
    const locks = new Locks() as unknown as LockManager;
    const seen: string[] = [];
    const a = new Ownership((h) => seen.push(`a${h}`), locks);
    const b = new Ownership((h) => seen.push(`b${h}`), locks);
    a.queue();
    b.queue();
    expect([a.held, b.held]).toEqual([true, false]);
    b.steal();
    await settle();
    expect([a.held, b.held]).toEqual([false, true]);
    b.stop();
    await settle();
    expect(a.held).toBe(true);
    a.stop();
    expect(seen).toEqual(['atrue', 'btrue', 'afalse', 'bfalse', 'atrue', 'afalse']);
  });

  it('is simply ours where there are no locks', () => {
    const o = new Ownership(() => undefined, undefined);
    o.queue();
    expect(o.held).toBe(true);
  });
});

describe('goertzel', () => {
  it('measures the amplitude of one tone and not of another', () => {
    const rate = 48_000;
    const block = Float32Array.from(
      { length: 8192 },
      (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / rate),
    );
    expect(goertzel(block, rate, 440)).toBeCloseTo(0.5, 1);
    expect(goertzel(block, rate, 1000)).toBeLessThan(0.02);
  });
});
