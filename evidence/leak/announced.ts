import type { Random } from '../../random/random.ts'
import type { Kind } from './kinds.ts'
import { ALNUM, after, between, DIGITS, from, LOWER, oneOf, token } from './letters.ts'

/** The words that announce a secret: keys of JSON, of settings and of headers, and what people say. */
const WORDS = {
  password: {
    keys: [
      'password',
      'Password',
      'PASSWORD',
      'passwd',
      'pwd',
      'PWD',
      'Pwd',
      'db_password',
      'DB_PASSWORD',
      'userPassword',
      'SMTP_PASS',
      'smtp_pass',
      'passcode',
      'PASSCODE',
      'wpa_psk',
      'PSK',
    ],
    spoken: ['password', 'passphrase', 'password for maria'],
  },
  'password in another language': {
    keys: ['Passwort', 'Kennwort', 'contraseña', 'mot de passe', 'senha', 'пароль', '密码', 'パスワード', '비밀번호'],
    spoken: ['Passwort'],
  },
  'API key': {
    keys: ['api_key', 'apiKey', 'API_KEY', 'API-KEY', 'x-api-key', 'OPENAI_API_KEY'],
    spoken: ['API key', 'api key'],
  },
  'client secret': {
    keys: ['client_secret', 'clientSecret', 'secret', 'CLIENT_SECRET', 'secret_key_base', 'SECRET_KEY'],
    spoken: ['client secret', 'secret'],
  },
  'access token': {
    keys: [
      'access_token',
      'accessToken',
      'ACCESS_TOKEN',
      'refresh_token',
      'auth_token',
      'AUTH_TOKEN',
      'session_token',
      'id_token',
      'csrf_token',
      'security_token',
    ],
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
      'AccountKey',
      'ACCOUNT_KEY',
      'encryption_key',
      'ENCRYPTION_KEY',
      'signing_key',
      'SIGNING_KEY',
      'x-amz-server-side-encryption-customer-key',
      'SSECustomerKey',
      'PresharedKey',
      'unseal_key_1',
    ],
    spoken: ['secret access key', 'secret key'],
  },
} as const

type Words = Readonly<{ keys: readonly string[]; spoken: readonly string[] }>

const kind = (name: string, { keys, spoken }: Words, make: (random: Random) => string): Kind => ({
  name,
  make: (random) => {
    const key = oneOf(keys, random)
    const announced = { key, spoken: oneOf(spoken, random) }
    return { before: `${key}${oneOf([': ', '=', ' = '], random)}`, marker: make(random), after: '', announced }
  },
})

/** Secrets that only a word before them shows. One of small letters is long, for a short one could be any word. */
export const ANNOUNCED: readonly Kind[] = [
  ...Object.entries(WORDS).map(([name, words]) =>
    kind(name, words, (random) => token(ALNUM, between(14, 33, random), random)),
  ),
  kind(
    'token of a setting',
    { keys: ['GITHUB_TOKEN', 'NPM_TOKEN', 'deploy_token', 'githubToken'], spoken: ['access token'] },
    (random) => token(ALNUM, between(20, 33, random), random),
  ),
  kind('API key of small letters', WORDS['API key'], (random) => from(LOWER, 32, random)),
  {
    name: 'header of a request',
    make: (random) => {
      const key = oneOf(['authorization', 'Authorization'], random)
      return { before: `${key}: Bearer `, marker: token(ALNUM, 30, random), after: '', announced: { key } }
    },
  },
  {
    name: 'token or key of a service',
    make: (random) => {
      const names = [
        'GITHUB_TOKEN',
        'githubToken',
        'discord_token',
        'HF_TOKEN',
        'notionToken',
        'AZURE_OPENAI_KEY',
        'token',
      ]
      const key = oneOf(names, random)
      const before = `${key}${oneOf([': ', '=', ' = ', ' ?= '], random)}`
      return { before, marker: token(ALNUM, between(24, 40, random), random), after: '', announced: { key } }
    },
  },
  {
    name: 'header with another scheme, or a cookie',
    make: (random) =>
      after(
        oneOf(['Authorization: Token ', 'authorization: ApiKey ', 'Authorization: ', 'Cookie: sessionid='], random),
        token(ALNUM, 30, random),
      ),
  },
  {
    name: 'cookie of a session',
    make: (random) => {
      const names = ['JSESSIONID', 'jsessionid', 'PHPSESSID', 'ASP.NET_SessionId', 'connect.sid']
      const key = oneOf(names, random)
      return { before: `${key}=`, marker: token(ALNUM, between(20, 32, random), random), after: '', announced: { key } }
    },
  },
  {
    name: 'option of a command',
    make: (random) =>
      after(
        oneOf(
          [
            'deploy --api-key ',
            'psql --password ',
            'login --token ',
            'curl -s -u maria:',
            'curl --user maria:',
            'sshpass -p ',
            'mysql -h db -p',
            'docker login -u ci -p ',
            'redis-cli -h cache -a ',
            'sqlcmd -U sa -P ',
            'ldapsearch -x -w ',
            'ssh-keygen -t ed25519 -N ',
            'curl -s -b sid=',
            'curl --cookie "a=1; sid=',
            'run --pass ',
            'run --pass=',
            'openssl rsa -passin pass:',
            'keytool -list -storepass ',
            'keytool -list -keypass ',
            'rabbitmqctl add_user maria ',
            'htpasswd -b .htpasswd maria ',
            'openssl enc -aes-256-cbc -k ',
            'smbclient //wood/share -U maria%',
            'snmpwalk -v2c -c ',
          ],
          random,
        ),
        token(ALNUM, 20, random),
      ),
  },
  {
    name: 'file with credentials',
    make: (random) => {
      const [before, end] = oneOf(
        [
          ['machine wood.example login maria password ', ''],
          ['//registry.wood.example/:_auth=', ''],
          ['{"auths": {"wood.example": {"auth": "', '=="}}}'],
          ['password: |\n  ', ''],
          ['wood.example:5432:shop:maria:', ''],
          ['*:*:*:maria:', ''],
          ['{"name": "sid", "value": "', '", "domain": "wood.example", "httpOnly": true}'],
          ['ConvertTo-SecureString "', '" -AsPlainText'],
          ['HTTPBasicAuth("maria", "', '")'],
          ['ConvertTo-SecureString -AsPlainText "', '" -Force'],
          ['<Pass>', '</Pass>'],
          ['Private-Lines: 1\n', '\n'],
          ['jdbc:oracle:thin:maria/', '@//wood.example:1521/shop'],
          ['sqlplus maria/', '@wood'],
          ['{"user": "maria", "pass": "', '"}'],
        ],
        random,
      )
      return { before, marker: token(ALNUM, 22, random), after: end }
    },
  },
  {
    name: 'password of a server, in its settings, its protocol or a stack trace',
    make: (random) => {
      const [before, end] = oneOf(
        [
          ["mysqli_connect('localhost', 'maria', '", "', 'shop')"],
          ["PDO->__construct('mysql:host=wood', 'maria', '", "', Array)"],
          ['a1 LOGIN maria ', ''],
          ['>>> PASS ', ''],
          ['requirepass ', ''],
          ['masterauth ', ''],
          ['AUTH default ', ''],
          ['ACL SETUSER maria on >', ' ~*'],
          ['snmp-server community ', ' RO'],
          ['Content-Disposition: form-data; name="password"\r\n\r\n', '\r\n--part'],
          ['echo "', '" | sudo -S ls'],
          ['The password has been reset to ', '.'],
        ],
        random,
      )
      return { before, marker: token(ALNUM, 22, random), after: end }
    },
  },
  {
    name: 'code for one login, or password of a router',
    make: (random) =>
      oneOf(
        [
          after('Your verification code is ', from(DIGITS, 8, random)),
          after('username maria password 7 ', from('0123456789ABCDEF', 20, random)),
        ],
        random,
      ),
  },
  {
    name: 'password of letters in a row of settings, or of all kinds after a short word',
    make: (random) => {
      const letters = from(LOWER, 14, random)
      const [before, marker, end] = oneOf(
        [
          ['Server=wood;Uid=maria;Pwd=', letters, ';Encrypt=true'],
          ['user=maria password=', letters, ' dbname=shop'],
          ['DB_PASSWORD=', letters, '\n'],
          [oneOf(['pw: ', 'pw=', 'pass: ', 'pass='], random), `xQ7${token(ALNUM, 17, random)}`, ''],
        ],
        random,
      )
      return { before, marker, after: end }
    },
  },
  {
    name: 'hash of a password',
    make: (random) =>
      after(
        oneOf(['$2b$12$', `$6$${token(ALNUM, 8, random)}$`, `$1$${token(ALNUM, 8, random)}$`], random),
        token(ALNUM, 53, random),
      ),
  },
  {
    name: 'name and value',
    make: (random) => {
      const name = oneOf(['DB_PASSWORD', 'password', 'OPENAI_API_KEY', 'X-Api-Key', 'client_secret'], random)
      const [before, end] = oneOf(
        [
          [`{"name": "${name}", "value": "`, '"}'],
          [`<input name="${name}" value="`, '">'],
          [`- name: ${name}\n  value: `, ''],
          [`<${name}>`, `</${name}>`],
          [`${oneOf(['headers.set', 'req.Header.Set', 'System.setProperty'], random)}("X-Api-Key", "`, '")'],
        ],
        random,
      )
      return { before, marker: token(ALNUM, 18, random), after: end }
    },
  },
  {
    name: 'names with their secrets',
    make: (random) => {
      const word = oneOf(['secrets', 'api_keys', 'apiKeys', 'credentials', 'passwords', 'cookies'], random)
      const [before, end] = oneOf(
        [
          [`{"${word}": {"region": "eu-west-1", "wood": "`, '"}}'],
          [`${word} = {'wood': '`, "'}"],
          [`${word}:\n  region: eu-west-1\n  wood: `, '\n'],
          ['{"apiVersion": "v1", "data": {"wood": "', '"}, "kind": "Secret"}'],
          ['kind: Secret\ndata:\n  wood: ', '\n'],
        ],
        random,
      )
      return { before, marker: token(ALNUM, between(14, 24, random), random), after: end }
    },
  },
]
