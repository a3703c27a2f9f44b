// The kind of test that a report format stands for, unless the caller names another.
import type { TestKind } from '../../generated/prisma/enums.js';
import type { ReportFormatName } from '../../reports/format.js';

/** Format → kind; OTHER for formats that are not listed. */
export const kindsOfFormats: Partial<Record<ReportFormatName, TestKind>> = {
  SARIF: 'SAST',
  SEMGREP: 'SAST',
  BANDIT: 'SAST',
  ESLINT: 'SAST',
  CPPCHECK_XML: 'SAST',
  CYCLONEDX: 'SCA',
  GRYPE: 'SCA',
  NPM_AUDIT: 'SCA',
  TRIVY: 'SCA',
  GITLEAKS: 'SECRETS',
  CHECKOV: 'IAC',
  ZAP_JSON: 'DAST',
  ZAP_XML: 'DAST',
  NUCLEI: 'DAST',
  BURP_XML: 'DAST',
  NMAP_XML: 'DAST',
  TESTSSL: 'DAST',
};
