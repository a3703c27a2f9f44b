// The style sheet of /docs beside that of Swagger UI: contrast by WCAG AA, no banner, room on phones.

const green = '#1a6b43';
const blue = '#1b5fa8';
const grey = '#4a5060';
const brown = '#8a4b08';
const red = '#b3261e';

/** CSS for the page. */
export const docsStyle = `
  #sign-in { padding: 10px 20px; display: flex; flex-wrap: wrap; gap: 8px 16px; background: #eef2f7; color: #1f2937;
    font: 14px/24px system-ui, sans-serif; }
  #sign-in[hidden] { display: none; }
  #sign-in button { font: inherit; padding: 2px 12px; border: 1px solid ${blue}; border-radius: 4px; background: #fff;
    color: ${blue}; cursor: pointer; }
  .swagger-ui .topbar { display: none; }
  .swagger-ui .info { margin: 32px 0 16px; }
  .swagger-ui .info h2 { margin: 16px 0 8px; font-size: 18px; }
  .swagger-ui .opblock-summary-path a { display: inline-block; min-width: 24px; line-height: 24px; }
  .swagger-ui .info li { margin: 4px 0; }
  .swagger-ui .scheme-container { padding: 16px 0; }
  .swagger-ui .scheme-container .schemes .schemes-server-container { display: none; }
  .swagger-ui .info a, .swagger-ui .markdown a { color: ${blue}; }
  .swagger-ui .info .title small { background: ${grey}; }
  .swagger-ui .info .title small.version-stamp { background: #3d6b00; }
  .swagger-ui .markdown code, .swagger-ui .renderedMarkdown code { color: #7a0fb8; white-space: normal; }
  .swagger-ui .btn.authorize { color: ${green}; border-color: ${green}; }
  .swagger-ui .btn.authorize svg { fill: ${green}; }
  .swagger-ui .btn.cancel { color: ${red}; border-color: ${red}; }
  .swagger-ui .download-contents { background: ${grey}; }
  .swagger-ui .btn.execute { background: ${blue}; border-color: ${blue}; color: #fff; }
  .swagger-ui .opblock.opblock-post .opblock-summary-method { background: ${green}; }
  .swagger-ui .opblock.opblock-get .opblock-summary-method { background: ${blue}; }
  .swagger-ui .opblock.opblock-put .opblock-summary-method,
  .swagger-ui .opblock.opblock-patch .opblock-summary-method { background: ${brown}; }
  .swagger-ui .opblock.opblock-delete .opblock-summary-method { background: ${red}; }
  .swagger-ui .opblock-description-wrapper p, .swagger-ui .response-col_links, .swagger-ui .parameter__type,
  .swagger-ui .parameter__in, .swagger-ui .prop-format { color: #3b4151; }
  .swagger-ui .tab li button.tablinks, .swagger-ui .response-control-media-type__accept-message { color: #3b4151; }
  .swagger-ui .response-control-media-type__accept-message { color: ${green}; }
  .swagger-ui .opblock-summary-control:focus-visible, .swagger-ui button:focus-visible { outline: 3px solid ${blue}; }
  @media (max-width: 700px) {
    .swagger-ui .wrapper { padding: 0 10px; }
    .swagger-ui .info .title { font-size: 26px; }
    .swagger-ui .info ul { padding-left: 20px; }
    .swagger-ui .opblock-tag { flex-wrap: wrap; }
    .swagger-ui .opblock-tag small { padding: 0; flex: 1 1 100%; }
    .swagger-ui .opblock .opblock-summary-path { font-size: 13px; }
    .swagger-ui .opblock .opblock-summary-description { display: none; }
    .swagger-ui .opblock .opblock-summary-method { min-width: 56px; font-size: 12px; }
  }
`;
