from tests.browser.conftest import *
from tests.browser.lab import *
def test_x(open_notebook):
    notebook = open_notebook(["import nbnas as nb\nw = nb.Workbench()\nw"], viewport=(1400,1800))
    notebook.run_all()
    notebook.page.wait_for_timeout(2500)
    notebook.screenshot("wb-empty")
    notebook.page.get_by_role("button", name="Start").first.click()
    notebook.page.wait_for_timeout(6000)
    notebook.screenshot("wb-running")
    notebook.page.wait_for_timeout(20000)
    notebook.screenshot("wb-later")
    print(notebook.page.locator(".nbnas-workbench").inner_text()[:3000])
    notebook.assert_clean()
