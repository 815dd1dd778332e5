import type { Random } from '../../random/random.ts'
import type { Kind, Secret } from './kinds.ts'

/** The words that announce a secret: keys of JSON, of settings and of headers, and what people say. */
const WORDS = {
  password: {
    keys: ['password', 'Password', 'PASSWORD', 'passwd', 'pwd', 'PWD', 'db_password', 'DB_PASSWORD', 'userPassword'],
    spoken: ['password', 'passphrase'],
  },
  'API key': {
    keys: ['api_key', 'apiKey', 'API_KEY', 'API-KEY', 'x-api-key', 'OPENAI_API_KEY'],
    spoken: ['API key', 'api key'],
  },
  'client secret': {
    keys: ['client_secret', 'clientSecret', 'secret', 'CLIENT_SECRET'],
    spoken: ['client secret', 'secret'],
  },
  'access token': {
    keys: ['access_token', 'accessToken', 'ACCESS_TOKEN', 'refresh_token', 'auth_token', 'AUTH_TOKEN', 'session_token'],
    spoken: ['access token', 'refresh_token'],
  },
  'cloud secret': {
    keys: [
      'aws_secret_access_key',
      'AWS_SECRET_ACCESS_KEY',
      'secretAccessKey',
      'private_key',
      'PRIVATE_KEY',
      'accessKey',
    ],
    spoken: ['secret access key', 'secret key'],
  },
} as const

type Letters = (letters: string, count: number, random: Random) => string

/**
 * Secrets that only a word before them shows. `token` makes a text of so many letters of which one at least is a digit.
 * Of half of the kinds there is a second one, whose secrets have small letters only; in a text they are long, for a
 * short one could be any word.
 */
export function announcedKinds(letters: string, token: Letters): readonly Kind[] {
  const oneOf = <T>(items: readonly T[], random: Random): T => items[random.below(items.length)] as T
  const kind = (
    name: string,
    words: { keys: readonly string[]; spoken: readonly string[] },
    make: (random: Random) => string,
  ): Kind => ({
    name,
    make: (random): Secret => {
      const key = oneOf(words.keys, random)
      const between = oneOf([': ', '=', ' = '], random)
      return {
        before: `${key}${between}`,
        marker: make(random),
        after: '',
        announced: { key, spoken: oneOf(words.spoken, random) },
      }
    },
  })
  const header = (random: Random): Secret => {
    const key = oneOf(['authorization', 'Authorization'], random)
    return {
      before: `${key}: Bearer `,
      marker: token(letters, 30, random),
      after: '',
      announced: { key },
    }
  }
  return [
    ...Object.entries(WORDS).map(([name, words]) =>
      kind(name, words, (random) => token(letters, 14 + random.below(20), random)),
    ),
    kind('API key of small letters', WORDS['API key'], (random) =>
      Array.from({ length: 32 }, () => String.fromCharCode(97 + random.below(26))).join(''),
    ),
    { name: 'header of a request', make: header },
  ]
}
