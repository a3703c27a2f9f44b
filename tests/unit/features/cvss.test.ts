// Scores of CVSS vectors: the examples that FIRST publishes, and what is refused.
import { describe, expect, it } from '@jest/globals';
import { scoreCvss } from '../../../src/features/result/cvss.js';

const base31 = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';
const base40 = 'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N';

describe('scoring a CVSS vector', () => {
  it.each([
    ['2.0 without a prefix', 'AV:N/AC:L/Au:N/C:P/I:P/A:P', 'CVSS:2.0/AV:N/AC:L/Au:N/C:P/I:P/A:P', 7.5],
    ['2.0 in parentheses', '(AV:N/AC:L/Au:N/C:C/I:C/A:C)', 'CVSS:2.0/AV:N/AC:L/Au:N/C:C/I:C/A:C', 10],
    ['2.0 with a prefix', 'CVSS:2.0/AV:L/AC:H/Au:M/C:N/I:N/A:P', 'CVSS:2.0/AV:L/AC:H/Au:M/C:N/I:N/A:P', 0.8],
    ['3.0', base31.replace('3.1', '3.0'), base31.replace('3.1', '3.0'), 9.8],
    ['3.1 with a trailing slash', `${base31}/`, base31, 9.8],
    ['4.0 with a prefix in lower case', base40.replace('CVSS', 'cvss'), base40, 9.3],
  ])('accepts %s, as scanners write it', (_name, given, vector, score) => {
    expect(scoreCvss(given)).toEqual({ vector, score });
  });

  it.each([
    ['CVE-2014-6271, Shellshock', base31, 9.8],
    ['CVE-2013-1937, an XSS', 'CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N', 6.1],
    ['CVE-2014-3566, POODLE', 'CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N', 3.1],
    ['CVE-2014-0160, Heartbleed', 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N', 7.5],
    ['the worst of 3.1', base31.replace('S:U', 'S:C'), 10],
    ['no impact', 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N', 0],
    ['a threat', `${base31}/E:P/RL:O/RC:C`, 8.8],
    ['an environment', `${base31}/MAV:P`, 6.8],
    ['metrics in another order', 'CVSS:3.1/C:H/AV:N/AC:L/PR:N/UI:N/S:U/I:H/A:H', 9.8],
    ['CVE-2014-0160 in 4.0', base40.replace('VI:H/VA:H', 'VI:N/VA:N'), 8.7],
    ['CVE-2020-3549 in 4.0', base40.replace('AT:N/PR:N/UI:N', 'AT:P/PR:N/UI:P'), 7.7],
    ['CVE-2020-3549 while nobody attacks', `${base40.replace('AT:N/PR:N/UI:N', 'AT:P/PR:N/UI:P')}/E:U`, 5.2],
    ['CVE-2021-44228, Log4Shell, in 4.0', base40.replace('SC:N/SI:N/SA:N', 'SC:H/SI:H/SA:H/E:A'), 10],
    ['a base of 4.0', base40, 9.3],
    ['no impact in 4.0', base40.replace(/:H/g, ':N'), 0],
    ['supplemental metrics', `${base40}/S:P/AU:Y/R:A/V:D/RE:L/U:Red`, 9.3],
  ])('gives what is known of %s', (_name, vector, score) => {
    expect(scoreCvss(vector)).toEqual({ vector, score });
  });

  it.each([
    ['nothing', ''],
    ['an unknown version', base31.replace('3.1', '3.2')],
    ['no version', base31.slice('CVSS:3.1/'.length)],
    ['lower case', base31.toLowerCase()],
    ['no metrics', 'CVSS:3.1'],
    ['a missing metric', base31.replace('/A:H', '')],
    ['a missing metric of 4.0', base40.replace('/AT:N', '')],
    ['an undefined base metric', base31.replace('AV:N', 'AV:X')],
    ['an unknown metric', `${base31}/ZZ:N`],
    ['a metric of the other version', `${base40}/RL:O`],
    ['an unknown value', base31.replace('A:H', 'A:Z')],
    ['a metric twice', `${base31}/AV:N`],
    ['an empty value', `${base31}/E:`],
    ['two values', base31.replace('AV:N', 'AV:N:L')],
    ['spaces', base31.replaceAll('/', ' / ')],
    ['the name of a property of every object', 'constructor/AV:N'],
    ['the name of the prototype', '__proto__/AV:N'],
  ])('refuses a vector with %s', (_name, vector) => {
    expect(scoreCvss(vector)).toEqual({ fault: expect.any(String) });
  });
});
