// Light or dark, as the reader's system has it (scripts/course_site.py puts this into every page).
const dark = matchMedia('(prefers-color-scheme: dark)');
const choose = () => {
  document.documentElement.dataset.bsTheme = dark.matches ? 'dark' : 'light';
};
dark.addEventListener('change', choose);
choose();
