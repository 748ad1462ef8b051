-- A corrected fact says when it was corrected, whoever corrects it; readers find what is new by it.

create function warehouse.stamp_published_at() returns trigger
language plpgsql
set search_path = pg_catalog
as $$
begin
    new.published_at := now();
    return new;
end
$$;
comment on function warehouse.stamp_published_at() is 'Sets published_at of a row that changes.';

-- Who sets the column, e.g. to restore a row, is left to it.
create trigger stamp_published_at
before update on warehouse.fact_sales
for each row
when (new.published_at is not distinct from old.published_at)
execute function warehouse.stamp_published_at();
comment on trigger stamp_published_at on warehouse.fact_sales is 'Keeps published_at true when a row is corrected.';
