import type { Kind } from './kinds.ts'
import { ALNUM, after, between, digits, faked, from, half, inGroups, LOWER, oneOf, token, UPPER } from './letters.ts'

/** Tokens and keys that can be seen without a word before them. */
export const KEYS: readonly Kind[] = [
  {
    name: 'JSON web token',
    make: half(
      (random) => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
        const claims = part({ sub: token(LOWER, 12, random), iat: 1_700_000_000 + random.below(9_000_000) })
        return {
          before: `${part({ alg: 'HS256', typ: 'JWT' })}.${claims}.`,
          marker: token(ALNUM, 43, random),
          after: '',
        }
      },
      (random) => {
        const jwt = faked(random, ({ internet }) => internet.jwt({ refDate: '2026-11-28' }))
        const end = jwt.lastIndexOf('.') + 1
        const coded = Buffer.from(jwt).toString('base64url')
        return oneOf([after(jwt.slice(0, end), jwt.slice(end)), after(coded.slice(0, -60), coded.slice(-60))], random)
      },
    ),
  },
  {
    name: 'bearer token',
    make: (random) => after(`${oneOf(['Bearer', 'bearer', 'BEARER'], random)} `, token(ALNUM, 32, random)),
  },
  {
    name: 'basic credentials',
    make: (random) =>
      after('Basic ', Buffer.from(`${from(LOWER, 6, random)}:${token(ALNUM, 13, random)}`).toString('base64')),
  },
  {
    name: 'OpenAI key, or one that looks like it',
    make: (random) => after(oneOf(['sk-', 'sk-proj-', 'sk-svcacct-', 'pk-'], random), token(ALNUM, 40, random)),
  },
  {
    name: 'key of small letters',
    make: (random) => after(oneOf(['sk-', 'sk-proj-', 'pk-'], random), from(LOWER, 40, random)),
  },
  {
    name: 'Langfuse key',
    make: (random) => after(oneOf(['sk-lf-', 'pk-lf-'], random), inGroups(random.hex(32), [8, 4, 4, 4, 12], '-')),
  },
  {
    name: 'Anthropic key',
    make: (random) => after('sk-ant-api03-', `${token(ALNUM, 40, random)}-${token(ALNUM, 20, random)}`),
  },
  {
    name: 'AWS key id',
    make: (random) => after(oneOf(['AKIA', 'ASIA', 'AROA', 'AIDA'], random), token(UPPER, 16, random)),
  },
  {
    name: 'GitHub token',
    make: (random) =>
      random.below(2) === 0
        ? after(oneOf(['ghp_', 'gho_', 'ghs_'], random), token(ALNUM, 36, random))
        : after('github_pat_', `${token(ALNUM, 22, random)}_${token(ALNUM, 59, random)}`),
  },
  {
    name: 'GitLab token',
    make: (random) => after(oneOf(['glpat-', 'glptt-', 'glrt-', 'gldt-'], random), token(ALNUM, 20, random)),
  },
  {
    name: 'Slack token',
    make: (random) =>
      after(oneOf(['xoxb-', 'xoxe-1-', 'xapp-1-'], random), `${digits(12, random)}-${token(ALNUM, 24, random)}`),
  },
  {
    name: 'key of another provider of models',
    make: (random) =>
      after(oneOf(['gsk_', 'xai-', 'pplx-', 'nvapi-', 'pcsk_', 'tgp_v1_'], random), token(ALNUM, 52, random)),
  },
  {
    name: 'key of a provider of models with a beginning of its own',
    make: (random) =>
      oneOf(
        [
          after('ABSK', token(ALNUM, 110, random)),
          after('AQVN', token(ALNUM, 35, random)),
          after('LTAI', token(ALNUM, 20, random)),
          after('AKID', token(ALNUM, 32, random)),
          after('pa-', token(ALNUM, 43, random)),
          after('csk-', token(LOWER, 48, random)),
          after(oneOf(['fw_', 'sk_car_'], random), token(ALNUM, 24, random)),
          after('sk-', inGroups(token(ALNUM, 20, random), [5, 15], '-')),
          after('jina_', `${random.hex(32)}z${token(ALNUM, 27, random)}`),
          { before: '', marker: token(ALNUM, 52, random), after: 'JQQJ99BAACYeBjFXJ3w3AAABACOGfox1' },
        ],
        random,
      ),
  },
  {
    name: 'key of a tool for agents with a beginning of its own',
    make: (random) =>
      oneOf(
        [
          after('fc-', random.hex(32)),
          after('e2b_', random.hex(40)),
          after('m0-', token(ALNUM, 40, random)),
          after('pylf_v1_eu_', token(ALNUM, 43, random)),
          after('app-', token(ALNUM, 24, random)),
          after('re_', inGroups(token(ALNUM, 32, random), [8, 24], '_')),
          after(oneOf(['figd_', 'sb_secret_'], random), inGroups(token(ALNUM, 40, random), [20, 20], '-')),
          after(`MT${token(ALNUM, 24, random)}.`, `${token(ALNUM, 6, random)}.${token(ALNUM, 38, random)}`),
          after(`pat${token(ALNUM, 14, random)}.`, random.hex(64)),
          after(`https://hooks.zapier.com/hooks/catch/${digits(7, random)}/`, token(ALNUM, 12, random)),
          after('https://acorn.webhook.office.com/webhookb2/', token(ALNUM, 60, random)),
          after('eyJrIjoi', token(ALNUM, 80, random)),
        ],
        random,
      ),
  },
  {
    name: 'key of a cloud or a build with a beginning of its own',
    make: (random) =>
      oneOf(
        [
          after('GOCSPX-', token(ALNUM, 28, random)),
          after('1//0', token(ALNUM, 90, random)),
          after(oneOf(['sbp_', 'bkua_'], random), random.hex(40)),
          after('dckr_oat_', inGroups(token(ALNUM, 40, random), [20, 20], '-')),
          after('CCIPAT_', inGroups(`${token(ALNUM, 22, random)}${random.hex(40)}`, [22, 40], '_')),
          after('GR1348941', token(ALNUM, 20, random)),
          after('sha256~', token(ALNUM, 43, random)),
          after(oneOf(['FlyV1 fm2_', 'fo1_'], random), token(ALNUM, 43, random)),
          after(oneOf(['SU', 'SA'], random), from(`${UPPER}234567`, 56, random)),
          after('HRKU-AA', token(ALNUM, 58, random)),
          after('A3-', inGroups(token(UPPER, 32, random), [6, 6, 5, 5, 5, 5], '-')),
          after(oneOf(['AKCp', 'cmVmdGtuO'], random), token(ALNUM, 69, random)),
          after('EZAK', token(ALNUM, 54, random)),
          after(`${token(ALNUM, 14, random)}.atlasv1.`, token(ALNUM, 67, random)),
          { before: '', marker: random.hex(32), after: '-us12' },
        ],
        random,
      ),
  },
  {
    name: 'credentials as one word',
    make: (random) => after('credentials: ', token(ALNUM, 32, random)),
  },
  {
    name: 'key of a tool for agents',
    make: (random) =>
      oneOf(
        [
          after('r8_', token(ALNUM, 37, random)),
          after('tvly-dev-', token(ALNUM, 32, random)),
          { before: 'lsv2_pt_', marker: random.hex(32), after: `_${random.hex(10)}` },
        ],
        random,
      ),
  },
  {
    name: 'address of a webhook, or a key of a bot',
    make: (random) =>
      after(
        oneOf(
          [
            `https://hooks.slack.com/services/T${token(UPPER, 8, random)}/B${token(UPPER, 8, random)}/`,
            `https://discord.com/api/webhooks/${digits(18, random)}/`,
            `${digits(10, random)}:A`,
          ],
          random,
        ),
        token(ALNUM, 34, random),
      ),
  },
  {
    name: 'token of a registry or a cloud',
    make: (random) =>
      oneOf(
        [
          after('pypi-AgEIcHlwaS5vcmc', token(ALNUM, 60, random)),
          after('dckr_pat_', token(ALNUM, 27, random)),
          after('hvs.', token(ALNUM, 90, random)),
          after('dop_v1_', random.hex(64)),
          after('glsa_', `${token(ALNUM, 32, random)}_${random.hex(8)}`),
          after('glc_', token(ALNUM, 60, random)),
          after('dapi', random.hex(32)),
          after('ya29.', token(ALNUM, 120, random)),
          after(`${token(ALNUM, 3, random)}8Q~`, token(ALNUM, 34, random)),
          after('tskey-auth-', `${token(ALNUM, 12, random)}-${token(ALNUM, 32, random)}`),
          after('dt0c01.', `${token(UPPER, 24, random)}.${token(UPPER, 64, random)}`),
          after('pul-', random.hex(40)),
          after('.AspNetCore.Cookies=CfDJ8', token(ALNUM, 90, random)),
          after(
            oneOf(['npm_', 'ghu_', 'nfp_', 'sbp_', 'lin_api_', 'apify_api_', 'ntn_'], random),
            token(ALNUM, 40, random),
          ),
        ],
        random,
      ),
  },
  {
    name: 'key of a service for programmers or shops',
    make: (random) =>
      oneOf(
        [
          after(oneOf(['shpat_', 'shpss_'], random), random.hex(32)),
          after('sntryu_', random.hex(64)),
          after('rubygems_', random.hex(48)),
          after('pscale_pw_', token(ALNUM, 43, random)),
          after('sgp_', random.hex(40)),
          after('ATATT3', token(ALNUM, 180, random)),
          after('ops_eyJ', token(ALNUM, 250, random)),
          { before: `PMAK-${random.hex(24)}-`, marker: random.hex(34), after: '' },
          after('NRAK-', token(UPPER, 27, random)),
          after('CFPAT-', token(ALNUM, 43, random)),
          after('key-', random.hex(32)),
          after('sk_', random.hex(48)),
          { before: 'xkeysib-', marker: random.hex(64), after: `-${token(ALNUM, 16, random)}` },
          after('sq0csp-', token(ALNUM, 43, random)),
          after('pat-na1-', inGroups(random.hex(32), [8, 4, 4, 4, 12], '-')),
          after('dp.pt.', token(ALNUM, 43, random)),
          after('AGE-SECRET-KEY-1', from(UPPER, 58, random)),
        ],
        random,
      ),
  },
  {
    name: 'signature of an address',
    make: (random) =>
      oneOf(
        [
          after('https://acorn.example/file?X-Amz-Signature=', random.hex(64)),
          after('https://acorn.example/file?sv=2024&sig=', token(ALNUM, 43, random)),
        ],
        random,
      ),
  },
  {
    name: 'parameter of an address',
    make: (random) =>
      after(
        `https://acorn.example/a?q=1&${oneOf(['key', 'code', 'auth', 'sig', 'signature'], random)}=`,
        token(ALNUM, between(24, 40, random), random),
      ),
  },
  {
    name: 'private key in JSON or in base64',
    make: (random) => {
      const pem = (title: string) => Buffer.from(`-----BEGIN ${title}-----`).toString('base64').slice(0, -4)
      return oneOf(
        [
          { before: '{"kty": "oct", "k": "', marker: token(ALNUM, 43, random), after: '"}' },
          {
            before: '{"kty": "EC", "crv": "P-256", "d": "',
            marker: token(ALNUM, 43, random),
            after: '", "x": "AQAB"}',
          },
          after(`tls.key: ${pem('PRIVATE KEY')}`, token(ALNUM, 60, random)),
          after(`client-key-data: ${pem('RSA PRIVATE KEY')}`, token(ALNUM, 60, random)),
        ],
        random,
      )
    },
  },
  {
    name: 'password in SQL',
    make: (random) => ({
      before: oneOf(
        [
          "ALTER USER fox WITH PASSWORD '",
          "CREATE USER fox IDENTIFIED BY '",
          "create user fox identified by '",
          "SET PASSWORD FOR 'fox'@'%' = '",
          "ALTER LOGIN fox WITH PASSWORD = N'",
        ],
        random,
      ),
      marker: token(ALNUM, 14, random),
      after: "'",
    }),
  },
  {
    name: 'Google key',
    make: (random) =>
      random.below(2) === 0
        ? after('AIza', token(ALNUM, 35, random))
        : after('AQ.', `Ab8RN6${token(ALNUM, 46, random)}`),
  },
  { name: 'Hugging Face token', make: (random) => after('hf_', token(LOWER + UPPER, 34, random)) },
  {
    name: 'Stripe key',
    make: (random) => after(oneOf(['sk_live_', 'rk_live_', 'sk_test_'], random), token(ALNUM, 24, random)),
  },
  { name: 'npm token', make: (random) => after('npm_', token(ALNUM, 36, random)) },
  { name: 'signing secret of a webhook', make: (random) => after('whsec_', token(ALNUM, 32, random)) },
  { name: 'SendGrid key', make: (random) => after('SG.', `${token(ALNUM, 22, random)}.${token(ALNUM, 43, random)}`) },
  {
    name: 'private key',
    make: (random) => {
      const title = `${oneOf(['RSA ', 'EC ', '', 'OPENSSH '], random)}PRIVATE KEY`
      return {
        before: `-----BEGIN ${title}-----\n`,
        marker: token(ALNUM, 60, random),
        after: `\n-----END ${title}-----`,
      }
    },
  },
  {
    name: 'credentials in a URL',
    make: (random) => ({
      before: `${oneOf(['https', 'postgres', 'amqp'], random)}://${from(LOWER, 6, random)}:`,
      marker: token(ALNUM, 14, random),
      after: `@${from(LOWER, 6, random)}.example/data`,
    }),
  },
]
