-- Numbers exhibits and makes them accessible in HTML; hands them to paper.typ in Typst.
local to_html = FORMAT:match("html") ~= nil
local counts = { Figure = 0, Table = 0 }

local function typst_string(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"') .. '"'
end

local function numbered(kind, caption)
  counts[kind] = counts[kind] + 1
  local label = pandoc.Span({ pandoc.Str(kind .. "\u{a0}" .. counts[kind] .. ".") }, { class = "label" })
  local first = caption.long[1]
  first.content = pandoc.Inlines({ label, pandoc.Space() }) .. first.content
  return counts[kind]
end

local function image(img)
  local name = img.src:match("([^/]+)$")
  return pandoc.RawInline("typst", "#image(" .. typst_string("/" .. name) .. ", alt: "
    .. typst_string(img.attributes.alt or pandoc.utils.stringify(img.caption)) .. ")")
end

function Figure(figure)
  if to_html then
    numbered("Figure", figure.caption)
    return figure
  end
  return figure:walk({ Image = image })
end

local function scope_headers(tbl)
  for _, row in ipairs(tbl.head.rows) do
    for _, cell in ipairs(row.cells) do cell.attributes.scope = cell.col_span > 1 and "colgroup" or "col" end
  end
  for _, body in ipairs(tbl.bodies) do
    if body.row_head_columns < 2 then
      body.row_head_columns = 1
      for _, row in ipairs(body.body) do row.cells[1].attributes.scope = "row" end
    end
  end
end

function Table(tbl)
  if not to_html then return tbl end
  scope_headers(tbl)
  local name = "Table"
  if #tbl.caption.long > 0 then
    name = name .. " " .. numbered("Table", tbl.caption)
    tbl.caption.long = pandoc.Blocks({ pandoc.Div(tbl.caption.long, { class = "caption" }) })
  end
  -- A list of pairs: the order of a Lua table's keys differs between runs.
  local attributes = { { "role", "region" }, { "tabindex", "0" }, { "aria-label", name } }
  return pandoc.Div({ tbl }, pandoc.Attr("", { "scroll" }, attributes))
end

function Span(span)
  if to_html then return nil end
  for _, class in ipairs({ "provenance", "verdict" }) do
    if span.classes:includes(class) then
      return pandoc.Inlines({ pandoc.RawInline("typst", "#" .. class .. "[") }) .. span.content
        .. pandoc.Inlines({ pandoc.RawInline("typst", "]") })
    end
  end
end

function Div(div)
  if to_html then return nil end
  for _, class in ipairs({ "lead", "aside", "card", "notes" }) do
    if div.classes:includes(class) then
      return pandoc.Blocks({ pandoc.RawBlock("typst", "#" .. class .. "[") }) .. div.content
        .. pandoc.Blocks({ pandoc.RawBlock("typst", "]") })
    end
  end
end
