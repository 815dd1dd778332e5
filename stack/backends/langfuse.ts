import type { Settings } from '../settings.ts'
import type { Backend } from './backend.ts'
import { addressIn, required } from './elsewhere.ts'

export const langfuse: Backend = {
  id: 'langfuse',
  title: 'Langfuse',
  endpointVariable: 'LANGFUSE_HOST',
  needs: {
    LANGFUSE_HOST: 'https://cloud.langfuse.com',
    LANGFUSE_PUBLIC_KEY: 'pk-lf-…',
    LANGFUSE_SECRET_KEY: 'sk-lf-…',
  },
  environment: (settings: Settings) => {
    const host = addressIn(settings, langfuse, 'LANGFUSE_HOST', { secret: true })
    const keys = `${required(settings, langfuse, 'LANGFUSE_PUBLIC_KEY')}:${required(settings, langfuse, 'LANGFUSE_SECRET_KEY')}`
    return { LANGFUSE_HOST: host, LANGFUSE_AUTHORIZATION: `Basic ${Buffer.from(keys).toString('base64')}` }
  },
}
