import type { TicketKind } from '~/api/types';

export const KINDS: TicketKind[] = ['question', 'problem', 'suggestion', 'feedback', 'task'];

export const SEVERITIES = [1, 2, 3, 4, 5] as const;

export const RESOLUTIONS = [
  'fixed',
  'workaround',
  'answered',
  'duplicate',
  'not_a_problem',
  'wont_do',
  'no_answer',
  'out_of_scope',
];

/** Solving a problem asks for its cause. */
export const ROOT_CAUSES = [
  'defect',
  'missing_feature',
  'unclear_feature',
  'user_error',
  'infrastructure',
  'third_party',
  'other',
];
