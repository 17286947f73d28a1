-- An executed notebook as plain blocks: HTML in it is read as content, so that no script, style or remote image is left.
local safe_schemes = { http = true, https = true, mailto = true }

local function plain(element)
  element.attr = pandoc.Attr()
  return element
end

local function local_image(image)
  if not image.src:match("^data:image/") then return pandoc.Emph(pandoc.utils.stringify(image.caption)) end
  image.attr = pandoc.Attr()
  return image
end

local function safe_link(link)
  local scheme = link.target:match("^%s*([%w+.-]+):")
  if scheme and not safe_schemes[scheme:lower()] then return link.content end
end

local function plain_table(tbl)
  tbl.attr = pandoc.Attr()
  local function cells(rows)
    for _, row in ipairs(rows) do
      row.attr = pandoc.Attr()
      for _, cell in ipairs(row.cells) do cell.attr = pandoc.Attr() end
    end
  end
  cells(tbl.head.rows)
  for _, body in ipairs(tbl.bodies) do cells(body.body) end
  return tbl
end

local function read_html(raw)
  if not raw.format:match("html") then return {} end
  local blocks = pandoc.read(raw.text, "html").blocks
  return blocks:walk({ Div = plain, Span = plain, Table = plain_table, CodeBlock = plain, Header = plain })
end

local function described_output(div)
  if div.classes:includes("code") then
    div.attributes["execution_count"] = nil
    return div
  end
end

function Pandoc(doc)
  doc = doc:walk({ RawBlock = read_html, RawInline = function() return {} end, Div = described_output })
  doc = doc:walk({ Image = local_image, Link = safe_link })
  for index, block in ipairs(doc.blocks) do
    local first = block.t == "Div" and block.content[1] or block
    if first and first.t == "Header" and first.level == 1 then
      doc.meta.title = first.content
      doc.meta.pagetitle = pandoc.utils.stringify(first)
      if block.t == "Div" then block.content:remove(1) else doc.blocks:remove(index) end
      break
    end
  end
  doc.meta.back = true
  return doc
end
