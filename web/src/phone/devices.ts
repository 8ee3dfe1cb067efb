// Microphone, talk output and ring output: which ones, how they are asked for, and why they cannot be had.

import type { MicProblem } from './state';

export interface DeviceChoice {
  id: string;
  label: string;
}

export interface AudioSettings {
  mic?: DeviceChoice;
  out?: DeviceChoice;
  ring?: DeviceChoice;
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
  /** Keep the microphone open on shift: faster with Bluetooth, needed for automatic answer. */
  keepOpen: boolean;
  /** 0..1 */
  ringVolume: number;
  notifications: boolean;
}

export const defaultAudio: AudioSettings = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  keepOpen: false,
  ringVolume: 0.7,
  notifications: true,
};

const KEY = 'hotline.audio';
/** When set to 1 the sound goes out untouched: headsets with their own processing, and measurements. */
const RAW_KEY = 'hotline.rawAudio';

export function loadAudio(store: Storage = localStorage): AudioSettings {
  try {
    const read = JSON.parse(store.getItem(KEY) ?? '{}') as Partial<AudioSettings>;
    const all = { ...defaultAudio, ...read };
    if (store.getItem(RAW_KEY) === '1') {
      return { ...all, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    }
    return all;
  } catch {
    return defaultAudio;
  }
}

export function saveAudio(s: AudioSettings, store: Storage = localStorage): void {
  store.setItem(KEY, JSON.stringify(s));
}

export interface DeviceList {
  mics: DeviceChoice[];
  outs: DeviceChoice[];
}

export async function listDevices(): Promise<DeviceList> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const pick = (kind: MediaDeviceKind) =>
    all.filter((d) => d.kind === kind && d.deviceId !== '').map((d) => ({ id: d.deviceId, label: d.label }));
  return { mics: pick('audioinput'), outs: pick('audiooutput') };
}

/** find prefers the id and falls back to the name: ids change when permissions or browsers do. */
export function find(list: DeviceChoice[], wanted: DeviceChoice | undefined): DeviceChoice | undefined {
  if (!wanted) return undefined;
  return list.find((d) => d.id === wanted.id) ?? list.find((d) => d.label !== '' && d.label === wanted.label);
}

export function constraints(s: AudioSettings, deviceId?: string): MediaTrackConstraints {
  return {
    channelCount: 1,
    echoCancellation: s.echoCancellation,
    noiseSuppression: s.noiseSuppression,
    autoGainControl: s.autoGainControl,
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
  };
}

/** Why there can be no microphone at all, before asking; undefined: ask. */
export function unavailable(): MicProblem | undefined {
  if (globalThis.isSecureContext === false) return 'insecure';
  if (!navigator.mediaDevices?.getUserMedia) return 'insecure';
  const policy = (document as { featurePolicy?: { allowsFeature(f: string): boolean } }).featurePolicy;
  if (policy && !policy.allowsFeature('microphone')) return 'frame';
  return undefined;
}

export function problemOf(err: unknown): MicProblem {
  const name = err instanceof Error || err instanceof DOMException ? err.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return unavailable() ?? 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no_device';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'other';
  }
}

/**
 * openMic asks for the chosen microphone, and for any when that one is gone. Permission is judged by this call alone:
 * permissions.query is not to be trusted (it may say "denied" where asking works).
 */
export async function openMic(s: AudioSettings): Promise<MediaStream> {
  const why = unavailable();
  if (why)
    throw Object.assign(new Error(why), { name: why === 'frame' ? 'NotAllowedError' : 'SecurityError' });
  const chosen = find((await listDevices()).mics, s.mic);
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: constraints(s, chosen?.id) });
  } catch (err) {
    if (!chosen || problemOf(err) === 'denied') throw err;
    return navigator.mediaDevices.getUserMedia({ audio: constraints(s) });
  }
}

/** setOutput sends an element's or context's sound to a device. Resolves to an error text instead of throwing. */
export async function setOutput(
  target: { setSinkId?: (id: string) => Promise<void> } | undefined,
  wanted: DeviceChoice | undefined,
): Promise<string | undefined> {
  if (!target?.setSinkId) return wanted ? 'unsupported' : undefined;
  const device = find((await listDevices()).outs, wanted);
  if (wanted && !device) return 'missing';
  try {
    await target.setSinkId(device?.id ?? '');
    return undefined;
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}
