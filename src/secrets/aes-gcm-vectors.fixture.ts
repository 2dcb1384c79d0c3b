/** One known answer of AES-256-GCM, in hexadecimal. */
export interface GcmVector {
  readonly name: string
  readonly key: string
  readonly iv: string
  readonly bound: string
  readonly text: string
  readonly ciphertext: string
  readonly tag: string
  readonly valid: boolean
}

type Row = readonly [
  name: string,
  key: string,
  iv: string,
  bound: string,
  text: string,
  ciphertext: string,
  tag: string,
]

const valid = ([name, key, iv, bound, text, ciphertext, tag]: Row): GcmVector => ({
  name,
  key,
  iv,
  bound,
  text,
  ciphertext,
  tag,
  valid: true,
})

/**
 * A subset of Wycheproof, C2SP/wycheproof at 6fc4a87a, testvectors_v1/aes_gcm_test.json (Apache-2.0, Google and contributors): of the
 * group with keys of 256 bits, nonces of 96 and tags of 128, the tests 91 to 103, 116 to 118 and 142 to 156 of 91 to 156.
 */
export const wycheproof: readonly GcmVector[] = [
  ...(
    [
      [
        '91',
        '92ace3e348cd821092cd921aa3546374299ab46209691bc28b8752d17f123c20',
        '00112233445566778899aabb',
        '00000000ffffffff',
        '00010203040506070809',
        'e27abdd2d2a53d2f136b',
        '9a4a2579529301bcfb71c78d4060f52c',
      ],
      [
        '92',
        '29d3a44f8723dc640239100c365423a312934ac80239212ac3df3421a2098123',
        '00112233445566778899aabb',
        'aabbccddeeff',
        '',
        '',
        '2a7d77fa526b8250cb296078926b5020',
      ],
      [
        '93',
        '80ba3192c803ce965ea371d5ff073cf0f43b6a2ab576b208426e11409c09b9b0',
        '4da5bf8dfd5852c1ea12379d',
        '',
        '',
        '',
        '4771a7c404a472966cea8f73c8bfe17a',
      ],
      [
        '94',
        'cc56b680552eb75008f5484b4cb803fa5063ebd6eab91f6ab6aef4916a766273',
        '99e23ec48985bccdeeab60f1',
        '',
        '2a',
        '06',
        '633c1e9703ef744ffffb40edf9d14355',
      ],
      [
        '95',
        '51e4bf2bad92b7aff1a4bc05550ba81df4b96fabf41c12c7b00e60e48db7e152',
        '4f07afedfdc3b6c2361823d3',
        '',
        'be3308f72a2c6aed',
        'cf332a12fdee800b',
        '602e8d7c4799d62c140c9bb834876b09',
      ],
      [
        '96',
        '67119627bd988eda906219e08c0d0d779a07d208ce8a4fe0709af755eeec6dcb',
        '68ab7fdbf61901dad461d23c',
        '',
        '51f8c1f731ea14acdb210a6d973e07',
        '43fc101bff4b32bfadd3daf57a590e',
        'ec04aacb7148a8b8be44cb7eaf4efa69',
      ],
      [
        '97',
        '59d4eafb4de0cfc7d3db99a8f54b15d7b39f0acc8da69763b019c1699f87674a',
        '2fcb1b38a99e71b84740ad9b',
        '',
        '549b365af913f3b081131ccb6b825588',
        'f58c16690122d75356907fd96b570fca',
        '28752c20153092818faba2a334640d6e',
      ],
      [
        '98',
        '3b2458d8176e1621c0cc24c0c0e24c1e80d72f7ee9149a4b166176629616d011',
        '45aaa3e5d16d2d42dc03445d',
        '',
        '3ff1514b1c503915918f0c0c31094a6e1f',
        '73a6b6f45f6ccc5131e07f2caa1f2e2f56',
        '2d7379ec1db5952d4e95d30c340b1b1d',
      ],
      [
        '99',
        '0212a8de5007ed87b33f1a7090b6114f9e08cefd9607f2c276bdcfdbc5ce9cd7',
        'e6b1adf2fd58a8762c65f31b',
        '',
        '10f1ecf9c60584665d9ae5efe279e7f7377eea6916d2b111',
        '0843fff52d934fc7a071ea62c0bd351ce85678cde3ea2c9e',
        '7355fde599006715053813ce696237a8',
      ],
      [
        '100',
        'b279f57e19c8f53f2f963f5f2519fdb7c1779be2ca2b3ae8e1128b7d6c627fc4',
        '98bc2c7438d5cd7665d76f6e',
        'c0',
        'fcc515b294408c8645c9183e3f4ecee5127846d1',
        'eb5500e3825952866d911253f8de860c00831c81',
        'ecb660e1fb0541ec41e8d68a64141b3a',
      ],
      [
        '101',
        'cdccfe3f46d782ef47df4e72f0c02d9c7f774def970d23486f11a57f54247f17',
        '376187894605a8d45e30de51',
        '956846a209e087ed',
        'e28e0e9f9d22463ac0e42639b530f42102fded75',
        'feca44952447015b5df1f456df8ca4bb4eee2ce2',
        '082e91924deeb77880e1b1c84f9b8d30',
      ],
      [
        '102',
        'f32364b1d339d82e4f132d8f4a0ec1ff7e746517fa07ef1a7f422f4e25a48194',
        '5a86a50a0e8a179c734b996d',
        'ab2ac7c44c60bdf8228c7884adb20184',
        '43891bccb522b1e72a6b53cf31c074e9d6c2df8e',
        '43dda832e942e286da314daa99bef5071d9d2c78',
        'c3922583476ced575404ddb85dd8cd44',
      ],
      [
        '103',
        'ff0089ee870a4a39f645b0a5da774f7a5911e9696fc9cad646452c2aa8595a12',
        'bc2a7757d0ce2d8b1f14ccd9',
        '972ab4e06390caae8f99dd6e2187be6c7ff2c08a24be16ef',
        '748b28031621d95ee61812b4b4f47d04c6fc2ff3',
        'a929ee7e67c7a2f91bbcec6389a3caf43ab49305',
        'ebec6774b955e789591c822dab739e12',
      ],
      [
        '116',
        '0f112e59cdccd851c3b8e76c9f05a3b7c2e4feca5846afeb351c1cbcace82f04',
        '7147973339d86789a2c9a958',
        '37128be45f0a7f329546e1492c3c9c2d2534d5b1f5147e49ab91221e7c3edea21bbe47bfe3619437ce3c61e6e946c504f348296918219e51bf2c5598589cff',
        '102e5804dda1fb5d656077edb15cadb5d0bdee8c',
        '618ac626ae0e8d06c2fd2fb66be253dc26ed6e38',
        'd8d93ff975cb988f09174dcd439cb6a4',
      ],
      [
        '117',
        '2ce6b4c15f85fb2da5cc6c269491eef281980309181249ebf2832bd6d0732d0b',
        'c064fae9173b173fd6f11f34',
        '498d3075b09fed998280583d61bb36b6ce41f130063b80824d1586e143d349b126b16aa10fe57343ed223d6364ee602257fe313a7fc9bf9088f027795b8dc1d3',
        'f8a27a4baf00dc0555d222f2fa4fb42dc666ea3c',
        'aed58d8a252f740dba4bf6d36773bd5b41234bba',
        '01f93d7456aa184ebb49bea472b6d65d',
      ],
      [
        '118',
        '52350da5a572911ee0e0fcedb115af6f4570fbf9c74a11bc184444d6a621d60f',
        'd68ad045c1b9c2923cf5404c',
        '03a94b3841292d9bbf72f413c09167c54ee10537c049afe2bbcec43b18f3890b2fcdd3bb31e6d709274e199c0c4648eb3d8b38e0c1bf7f309443bef6937cde4123',
        '4e6e6dad2c16cfc6e7cac03636a4a6d88bd6a13e',
        'c7764411be13cfeaaece761bd3bb13552f088048',
        'bcc2544e79f34ea1076a12b76441d6fa',
      ],
    ] satisfies readonly Row[]
  ).map(valid),
  ...[
    ['142', '9ce8fef6d8ab1bf1bf887232ebb590dd'],
    ['143', '9ce8fef6d8ab1bf1bf887232e8b590dd'],
    ['144', '9ce8fef6d8ab1bf1bf8872326ab590dd'],
    ['145', '9ce8fef6d8ab1bf1bf887232eab590dc'],
    ['146', '9ce8fef6d8ab1bf1bf887232eab590df'],
    ['147', '9ce8fef6d8ab1bf1bf887232eab5909d'],
    ['148', '9ce8fef6d8ab1bf1bf887232eab5905d'],
    ['149', '9de8fef6d8ab1bf1be887232eab590dd'],
    ['150', '9ce8fe76d8ab1b71bf887232eab590dd'],
    ['151', '9ce8fef6d8ab1b71bf887232eab5905d'],
    ['152', '631701092754e40e40778dcd154a6f22'],
    ['153', '00000000000000000000000000000000'],
    ['154', 'ffffffffffffffffffffffffffffffff'],
    ['155', '1c687e76582b9b713f08f2b26a35105d'],
    ['156', '9de9fff7d9aa1af0be897333ebb491dc'],
  ].map(([name = '', tag = '']) => ({
    name,
    key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    iv: '505152535455565758595a5b',
    bound: '',
    text: '202122232425262728292a2b2c2d2e2f',
    ciphertext: 'b2061457c0759fc1749f174ee1ccadfa',
    tag,
    valid: false,
  })),
]

const zeros = '00'.repeat(32)
const feff = 'feffe9928665731c6d6a8f9467308308'.repeat(2)
const longText =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255'
const longCiphertext =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad'

/** NIST: the test cases 13 to 16 of the proposal that became SP 800-38D, and the first one of gcmEncryptExtIV256.rsp of CAVP. */
export const nist: readonly GcmVector[] = (
  [
    ['13', zeros, '00'.repeat(12), '', '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
    [
      '14',
      zeros,
      '00'.repeat(12),
      '',
      '00'.repeat(16),
      'cea7403d4d606b6e074ec5d3baf39d18',
      'd0d1c8a799996bf0265b98b5d48ab919',
    ],
    ['15', feff, 'cafebabefacedbaddecaf888', '', longText, longCiphertext, 'b094dac5d93471bdec1a502270e3cc6c'],
    [
      '16',
      feff,
      'cafebabefacedbaddecaf888',
      'feedfacedeadbeeffeedfacedeadbeefabaddad2',
      longText.slice(0, 120),
      longCiphertext.slice(0, 120),
      '76fc6ece0f4e1768cddf8853bb2d551b',
    ],
    [
      'CAVP 0',
      'b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4',
      '516c33929df5a3284ff463d7',
      '',
      '',
      '',
      'bdc1ac884d332457a1d2664f168c76f0',
    ],
  ] satisfies readonly Row[]
).map(valid)
