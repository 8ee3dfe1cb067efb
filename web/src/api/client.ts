// The way to the server: JSON over fetch, problem documents as errors, versions as ETags, one key per POST so that a
// repeat acts once.

import { currentLang } from '~/i18n';
import type { Page } from './types';

const BASE = '/api/v1';

/** RFC 9457 problem document, as far as we read it. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  /** Stable, for programs; texts in both languages hang on it. */
  code?: string;
  field?: string;
  trace_id?: string;
  errors?: { location?: string; message?: string; field?: string; code?: string }[];
  /** Seconds until another try makes sense. */
  retry_after?: number;
}

export class ApiError extends Error {
  readonly status: number;
  readonly body: ProblemBody;
  constructor(status: number, body: ProblemBody) {
    super(body.code ?? body.title ?? `HTTP ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.body = body;
  }

  /** Stable code; made from the status when the server sent none. */
  get code(): string {
    return this.body.code ?? STATUS_CODES[this.status] ?? (this.status === 0 ? 'network' : 'internal');
  }
}

const STATUS_CODES: Record<number, string> = {
  400: 'bad_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  412: 'stale',
  422: 'invalid',
  423: 'locked',
  428: 'stale',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

type Query = Record<string, string | number | boolean | undefined | null>;

export interface RequestOptions {
  query?: Query;
  body?: unknown;
  /** Version the edit starts from: If-Match. */
  version?: number;
  /** For a repeat of the same POST by hand; else each call gets its own. */
  key?: string;
  signal?: AbortSignal;
  /** PATCH sends a merge patch. */
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
}

let onUnauthenticated: (() => void) | undefined;

/** The page is told when a session has ended, from whatever request noticed it. */
export function setUnauthenticatedHandler(fn: () => void): void {
  onUnauthenticated = fn;
}

export function url(path: string, query?: Query): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query ?? {})) {
    if (v !== undefined && v !== null && v !== '') q.set(k, v === true ? '1' : String(v));
  }
  const tail = q.toString();
  return `${BASE}${path}${tail ? `?${tail}` : ''}`;
}

export async function api<T>(path: string, opt: RequestOptions = {}): Promise<T> {
  const method = opt.method ?? 'GET';
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': currentLang() };
  if (opt.body !== undefined) headers['Content-Type'] = 'application/json';
  if (opt.version !== undefined) headers['If-Match'] = `"${opt.version}"`;
  if (method === 'POST') headers['Idempotency-Key'] = opt.key ?? newKey();
  if (method !== 'GET') headers['X-Requested-With'] = 'hotline';
  let res: Response;
  try {
    res = await fetch(url(path, opt.query), {
      method,
      headers,
      body: opt.body === undefined ? undefined : JSON.stringify(opt.body),
      credentials: 'same-origin',
      signal: opt.signal,
    });
  } catch (err) {
    if (opt.signal?.aborted) throw err;
    throw new ApiError(0, { code: 'network' });
  }
  if (!res.ok) throw await problem(res, path);
  if (res.status === 204 || res.headers.get('Content-Length') === '0') return undefined as T;
  const text = await res.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

async function problem(res: Response, path: string): Promise<ApiError> {
  let body: ProblemBody = {};
  try {
    body = (await res.json()) as ProblemBody;
  } catch {
    // A proxy's page instead of a problem document: the status alone has to do.
  }
  const wait = Number(res.headers.get('Retry-After'));
  if (Number.isFinite(wait) && wait > 0) body.retry_after = wait;
  if (res.status === 401 && path !== '/session') onUnauthenticated?.();
  return new ApiError(res.status, body);
}

export function newKey(): string {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

/** Lists come as {data,page} or, where they are short, as a bare array. */
export function toPage<T>(answer: unknown): Page<T> {
  if (Array.isArray(answer)) return { data: answer as T[], page: { has_more: false } };
  const a = (answer ?? {}) as { data?: T[] | null; items?: T[] | null; page?: Page<T>['page'] };
  return { data: a.data ?? a.items ?? [], page: a.page ?? { has_more: false } };
}

export async function list<T>(path: string, query?: Query, signal?: AbortSignal): Promise<Page<T>> {
  return toPage<T>(await api<unknown>(path, { query, signal }));
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) => api<T>(path, { query, signal });
export const post = <T>(path: string, body?: unknown, key?: string) =>
  api<T>(path, { method: 'POST', body: body ?? {}, key });
export const patch = <T>(path: string, body: unknown, version?: number) =>
  api<T>(path, { method: 'PATCH', body, version });
export const del = <T>(path: string, version?: number) => api<T>(path, { method: 'DELETE', version });
