import { environment, tsx } from '../service.ts'
import { url } from '../settings.ts'
import type { Backend } from './backend.ts'
import { phoenix } from './phoenix.ts'

export const annotations: Backend = {
  id: 'annotations',
  title: 'Annotations',
  endpointVariable: 'ANNOTATIONS_OTLP_ENDPOINT',
  environment: (settings) => ({ ANNOTATIONS_OTLP_ENDPOINT: url(settings, 'ANNOTATIONS_PORT') }),
  relay: {
    to: phoenix,
    service: (settings) => ({
      name: 'annotations',
      ports: ['ANNOTATIONS_PORT'],
      command: () => ({
        ...tsx('phoenix/annotate.ts'),
        env: environment(settings, { PHOENIX_URL: url(settings, 'PHOENIX_PORT') }),
      }),
      ready: url(settings, 'ANNOTATIONS_PORT', '/health'),
      graceMs: 5_000,
    }),
    what: 'evaluations, as annotations of their spans there',
  },
}
