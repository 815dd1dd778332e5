import type { Settings } from '../settings.ts'
import type { Backend } from './backend.ts'
import { addressIn, required } from './elsewhere.ts'

export const langfuse: Backend = {
  id: 'langfuse',
  title: 'Langfuse',
  endpointVariable: 'LANGFUSE_HOST',
  environment: (settings: Settings) => {
    const host = addressIn(settings, 'langfuse', 'LANGFUSE_HOST', {
      example: 'https://cloud.langfuse.com',
      secret: true,
    })
    const keys = `${required(settings, 'langfuse', 'LANGFUSE_PUBLIC_KEY', 'pk-lf-…')}:${required(settings, 'langfuse', 'LANGFUSE_SECRET_KEY', 'sk-lf-…')}`
    return { LANGFUSE_HOST: host, LANGFUSE_AUTHORIZATION: `Basic ${Buffer.from(keys).toString('base64')}` }
  },
}
